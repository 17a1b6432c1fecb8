// The inner part of SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace icecore {

using Sha256State = std::array<std::uint32_t, 8>;

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
extern const std::array<std::uint32_t, 64> sha256Constants;

inline constexpr std::size_t sha256Block = 64;
/// FIPS 180-4, 5.3.3.
inline constexpr Sha256State sha256Initial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/// Takes `blocks` × 64 bytes into the state, by the fastest way that this CPU has.
void sha256Blocks(Sha256State& state, const std::byte* bytes, std::size_t blocks);
/// The same of two inputs at once, each into its own state.
void sha256Blocks(Sha256State& one, Sha256State& two, const std::byte* bytesOne,
                  const std::byte* bytesTwo, std::size_t blocks);

}  // namespace icecore
