// CRC-32 as ZIP, gzip and PNG have it (ISO 3309).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace icecore {

/// Of `bytes`, or of them behind what `before` is the checksum of.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace icecore
