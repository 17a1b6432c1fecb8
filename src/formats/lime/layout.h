// Before each range of memory. Sources: LiME's README (version 1), AVML's format description
// (version 2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::lime {

struct Header {
    Le32 magic, version;
    Le64 first;  ///< physical address
    Le64 last;   ///< of the last byte
    Le64 reserved;
};
static_assert(sizeof(Header) == 32 && offsetof(Header, last) == 16);

inline constexpr std::uint32_t limeMagic = 0x4c694d45, avmlMagic = 0x4c4d5641;
inline constexpr std::uint32_t limeVersion = 1, avmlVersion = 2;

// A range of version 2 is a stream of snappy's framing format (google/snappy, framing_format.txt):
// chunks of type u8, length u24; then a u64, the length of that stream.
inline constexpr std::size_t chunkHeaderSize = 4;
inline constexpr std::uint32_t chunkContent = 65536;
inline constexpr std::uint8_t chunkCompressed = 0x00, chunkStored = 0x01, chunkSkippable = 0x80,
                              chunkStreamId = 0xff;

}  // namespace icecore::lime
