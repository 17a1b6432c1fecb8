// Numbers of things, as a sentence says them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace icecore {

/// "1 range", "16 ranges": for words that take an s.
inline std::string howMany(std::uint64_t number, std::string_view thing) {
    return std::to_string(number) + " " + std::string(thing) + (number == 1 ? "" : "s");
}

}  // namespace icecore
