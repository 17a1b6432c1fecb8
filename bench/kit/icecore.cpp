#include "kit/icecore.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/paths.h"

namespace icecore::bench {

Result<std::string> ready(tests::Victim& victim) {
    const std::string line = victim.line();
    if (!line.starts_with("ready"))
        return fail(Errc::target_gone, "the victim did not get ready: memory or threads refused?");
    return std::string(trim(std::string_view(line).substr(5)));
}

std::string ask(tests::Victim& victim, std::string_view line) {
    victim.tell(fmt::format("{}\n", line));
    return victim.line();
}

Result<DumpResult> dump(const tests::Victim& victim, const std::string& path,
                        const std::vector<std::string>& options) {
    Command command{tests::program(), "dump",  std::to_string(victim.pid()), "-o", path,
                    "--overwrite",    "--json"};
    command.insert(command.end(), options.begin(), options.end());
    DumpResult result;
    result.cost = run(command);
    const std::string& said = result.cost.output;
    if (!result.cost.succeeded) {
        return fail(Errc::internal, fmt::format("icecore dump: status {}, {}", result.cost.status,
                                                printable(trim(said))));
    }
    const auto json = nlohmann::json::parse(said, nullptr, false);
    if (!json.is_object()) return fail(Errc::malformed, "icecore dump: no JSON, but " + said);
    result.snapshot = json.value("snapshot", "");
    result.pauseSeconds = json.value("pause_ms", 0.0) / 1e3;
    return result;
}

}  // namespace icecore::bench
