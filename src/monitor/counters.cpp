#include "monitor/counters.h"

#include "base/text.h"

namespace icecore::monitor {

Result<CounterPath> parseCounterPath(std::string_view text) {
    const auto wrong = [&] {
        return fail(Errc::usage, "a counter is written \\Object(instance)\\Counter",
                    std::string(text));
    };
    std::string_view rest = trim(text);
    if (!rest.starts_with('\\')) return wrong();
    rest.remove_prefix(1);
    const std::size_t slash = rest.rfind('\\');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == rest.size()) return wrong();
    CounterPath path;
    path.counter = trim(rest.substr(slash + 1));
    std::string_view object = rest.substr(0, slash);
    if (const std::size_t open = object.find('('); open != std::string_view::npos) {
        if (!object.ends_with(')')) return wrong();
        path.instance = trim(object.substr(open + 1, object.size() - open - 2));
        object = object.substr(0, open);
    }
    path.object = trim(object);
    if (path.object.empty() || path.counter.empty()) return wrong();
    return path;
}

}  // namespace icecore::monitor
