// How many mappings a process may have.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "base/text.h"
#include "support/victim.h"

namespace icecore::tests {

/// Raises vm.max_map_count for a test and puts it back.
class MapLimit {
public:
    explicit MapLimit(std::uint64_t wanted) : before_(readText(path)) {
        if (parseDecimal(trim(before_)).value_or(0) >= wanted) {
            enough_ = true;
            before_.clear();
            return;
        }
        std::ofstream(path) << wanted;
        enough_ = parseDecimal(trim(readText(path))).value_or(0) >= wanted;
    }
    ~MapLimit() {
        if (!before_.empty()) std::ofstream(path) << before_;
    }
    MapLimit(const MapLimit&) = delete;
    MapLimit& operator=(const MapLimit&) = delete;
    [[nodiscard]] bool enough() const { return enough_; }

private:
    static constexpr const char* path = "/proc/sys/vm/max_map_count";
    std::string before_;
    bool enough_ = false;
};

}  // namespace icecore::tests
