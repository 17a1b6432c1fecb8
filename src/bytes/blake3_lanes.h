// The inner part of BLAKE3: many chunks, or many pairs of hashes, at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace icecore::blake3 {

inline constexpr std::size_t blockSize = 64, chunkSize = 1024;
/// A chaining value, as bytes and as words.
inline constexpr std::size_t valueSize = 32;
using Value = std::array<std::uint32_t, 8>;

/// BLAKE3 specification, 2.1 and table 3.
inline constexpr Value initial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
enum Flag : std::uint32_t { chunkStart = 1, chunkEnd = 2, parentNode = 4, rootNode = 8 };

/// One block of at most 64 bytes (all 64 are there, zero behind `length`) into `value`.
void compress(Value& value, const std::byte* block, std::uint64_t counter, std::uint32_t length,
              std::uint32_t flags);

/// The chaining values of `count` whole chunks that lie one behind the other, numbered from
/// `counter` on, into `out`: 32 bytes for each. By the widest registers that this CPU has.
void chunkValues(const std::byte* chunks, std::size_t count, std::uint64_t counter, std::byte* out);
/// Those of `count` pairs of chaining values that lie one behind the other. `out` may be `pairs`.
void parentValues(const std::byte* pairs, std::size_t count, std::byte* out);

}  // namespace icecore::blake3
