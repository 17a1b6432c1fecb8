// Whether an address is one that a call instruction would return to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "arch/registers.h"

namespace icecore {

/// A call instruction that ends right before a return address.
struct CallSite {
    std::optional<std::uint64_t> target;  ///< of a direct call; nothing for an indirect one
};

/// Longest call instruction looked for, in bytes.
constexpr std::size_t maxCallSize = 7;

/// The call that ends at the end of `before`, whose last byte lies at `returnAddress` - 1. Nothing
/// when none does. Encodings: Intel SDM volume 2, CALL (E8, FF /2) and 2.1.5 (ModR/M); Arm ARM
/// C6.2 (BL, BLR, BLRAA…). On x86 bytes that merely look like a call are possible: it is evidence,
/// not proof.
std::optional<CallSite> callEndingAt(Arch arch, std::uint64_t returnAddress,
                                     std::span<const std::byte> before);

}  // namespace icecore
