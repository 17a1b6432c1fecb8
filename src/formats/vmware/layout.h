// VMware's checkpoints: the state of a suspended machine (.vmss) or of a snapshot (.vmsn).
// Sources: crash's vmware_vmss.h (VMware, Inc.) and volatility3's description of the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::vmware {

struct Header {
    Le32 magic, version, groupCount;
};
static_assert(sizeof(Header) == 12);

/// Behind the header, `groupCount` times.
struct Group {
    char name[64];
    Le64 offset, size;
};
static_assert(sizeof(Group) == 80 && offsetof(Group, offset) == 64);

/// Before: sizes of blocks have 32 bits; since: 64.
inline constexpr std::array<std::uint32_t, 2> oldMagics = {0xbed0bed0, 0xbed2bed0};
inline constexpr std::array<std::uint32_t, 4> magics = {
    0xbed2bed2,  // complete
    0xbed3bed3,  // partial
    0xbad1bad1,  // restored
    0xbad2bad2,  // not to be restored
};

// A group is a list of tags up to one of two zero bytes: u8 size of the value (six bits) and number
// of indices (two), u8 length of the name; the name, the indices (u32 each), the value. Two sizes
// mean a block: its size in the file and its size in memory, u16 of padding, the padding, the
// bytes.
inline constexpr unsigned valueSizeMask = 0x3f, indicesShift = 6;
inline constexpr unsigned blockSize = 0x3f, compressedBlockSize = 0x3e;

inline constexpr std::uint64_t pageSize = 4096;

}  // namespace icecore::vmware
