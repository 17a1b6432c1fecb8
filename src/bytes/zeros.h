// Telling zeros, which files leave out as holes.
#pragma once

#include <cstddef>
#include <span>

namespace icecore {

/// Whether every byte is zero; true of none.
[[nodiscard]] bool allZero(std::span<const std::byte> bytes);

}  // namespace icecore
