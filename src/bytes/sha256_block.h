// The inner part of SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace icecore {

using Sha256State = std::array<std::uint32_t, 8>;

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
extern const std::array<std::uint32_t, 64> sha256Constants;

/// Takes `blocks` × 64 bytes into the state, by the fastest way that this CPU has.
void sha256Blocks(Sha256State& state, const std::byte* bytes, std::size_t blocks);

}  // namespace icecore
