// Linux' error numbers, whatever system icecore itself runs on.
#pragma once

#include <cstdint>
#include <string_view>

namespace icecore::debugger {

struct ErrorName {
    std::uint64_t number;
    std::string_view name;  ///< "ENOENT"
    std::string_view text;  ///< "No such file or directory"
};
/// Null when no error has that number.
const ErrorName* linuxErrorName(std::uint64_t number);

}  // namespace icecore::debugger
