#include "monitor/throw_source.h"

namespace icecore::monitor {

std::string Thrown::text() const {
    return message.empty() ? type : type + ": " + message;
}

const std::vector<std::unique_ptr<ThrowSource>>& throwSources() {
    static const auto table = [] {
        std::vector<std::unique_ptr<ThrowSource>> sources;
        sources.push_back(makeCppThrowSource());
        return sources;
    }();
    return table;
}

}  // namespace icecore::monitor
