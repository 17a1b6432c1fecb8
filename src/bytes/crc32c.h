// CRC-32C (Castagnoli), as snappy's framing format uses it.
#pragma once

#include <cstdint>
#include <span>

namespace icecore {

/// The checksum of `bytes`, reflected, with initial value and final inversion (RFC 3720, B.4).
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes);
/// The same where the CPU has no instruction for it.
[[nodiscard]] std::uint32_t crc32cByTables(std::span<const std::byte> bytes);

}  // namespace icecore
