// Numbers and characters as C++ writes them.
#pragma once

#include <string_view>

#include "debugger/cpp_value.h"

namespace icecore::debugger {

/// Takes a number off the front of `text`: decimal, 0x, 0 (octal), with back-ticks, `u` and `l`;
/// with a '.' or an exponent a double, with `f` a float. `usage` when there is none.
Result<Scalar> takeNumber(std::string_view& text);
/// Takes 'x' or '\n'.
Result<Scalar> takeCharacter(std::string_view& text);

}  // namespace icecore::debugger
