// What the value of a bad pointer tells of its origin.
#pragma once

#include <optional>

#include "analysis/crash_case.h"

namespace icecore {

struct BadPointer {
    Finding finding;
    std::optional<std::uint64_t> oneBitFrom;  ///< what it would be without its flipped bit
};

/// Looks at a pointer that led to a fault: fill patterns of allocators, text, one flipped bit.
/// `what` names it in the evidence ("rax", "the address"). At most one finding: the best reason.
std::optional<BadPointer> examineBadPointer(const CrashCase& crash, std::string_view what,
                                            std::uint64_t value);

}  // namespace icecore
