// What a small function would return, found out without running it.
#pragma once

#include <cstdint>
#include <optional>

#include "memory/address_space.h"

namespace icecore::monitor {

/// Follows the x86-64 function at `function`, called with `argument` (System V ABI), instruction by
/// instruction in `memory`. What it writes goes to a stack of its own and nowhere else. Nothing
/// when it does anything but move, add, compare, branch and call what does no more than that; when
/// it goes on for too long; or when memory lacks. So it answers for accessors such as what(), and
/// for nothing that has effects.
std::optional<std::uint64_t> evaluatePureCall(const AddressSpace& memory, std::uint64_t function,
                                              std::uint64_t argument);

}  // namespace icecore::monitor
