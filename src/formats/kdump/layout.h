// The layout of kdump-compressed (diskdump) files.
// Sources: makedumpfile's IMPLEMENTATION and diskdump_mod.h (as descriptions of the layout), QEMU's
// include/sysemu/dump.h.
//
//   block 0        header
//   block 1 …      sub-header, notes                               (subHeaderBlocks)
//   then           bitmap of pages there are, bitmap of pages in the file  (bitmapBlocks together)
//   then           one descriptor for each bit of the second bitmap
//   then           the pages
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bytes/codec.h"
#include "bytes/endian.h"

namespace icecore::kdump {

inline constexpr std::string_view signature = "KDUMP   ";

struct Header {
    char signature[8];
    Le32 version;
    char systemName[65], nodeName[65], release[65], systemVersion[65], machine[65], domain[65];
    std::byte padding[6];
    Le64 seconds, microseconds;
    Le32 status, blockSize, subHeaderBlocks, bitmapBlocks, maxPage, ramBlocks, deviceBlocks,
        writtenBlocks, currentCpu, cpuCount;
};
static_assert(sizeof(Header) == 464 && offsetof(Header, seconds) == 408 &&
              offsetof(Header, blockSize) == 428 && offsetof(Header, cpuCount) == 460);

/// The same of a 32-bit machine.
struct Header32 {
    char signature[8];
    Le32 version;
    char systemName[65], nodeName[65], release[65], systemVersion[65], machine[65], domain[65];
    std::byte padding[2];
    Le32 seconds, microseconds;
    Le32 status, blockSize, subHeaderBlocks, bitmapBlocks, maxPage, ramBlocks, deviceBlocks,
        writtenBlocks, currentCpu, cpuCount;
};
static_assert(sizeof(Header32) == 452 && offsetof(Header32, seconds) == 404 &&
              offsetof(Header32, blockSize) == 416);

struct SubHeader {
    Le64 physicalBase;
    Le32 dumpLevel, split;
    Le64 firstPage, endPage;  ///< version 2 and later, of a file that is one of several
    Le64 kernelInfoOffset, kernelInfoSize;
    Le64 notesOffset, notesSize;
    Le64 eraseOffset, eraseSize;
    Le64 firstPage64, endPage64, maxPage64;  ///< version 6
};
static_assert(sizeof(SubHeader) == 104 && offsetof(SubHeader, maxPage64) == 96);

struct SubHeader32 {
    Le32 physicalBase, dumpLevel, split, firstPage, endPage;
    Le64 kernelInfoOffset;
    Le32 kernelInfoSize;
    Le64 notesOffset;
    Le32 notesSize;
    Le64 eraseOffset;
    Le32 eraseSize;
    Le64 firstPage64, endPage64, maxPage64;
};
static_assert(sizeof(SubHeader32) == 80 && offsetof(SubHeader32, maxPage64) == 72);
struct SubHeader32Aligned {
    Le32 physicalBase, dumpLevel, split, firstPage, endPage, padding;
    Le64 kernelInfoOffset;
    Le32 kernelInfoSize, padding2;
    Le64 notesOffset;
    Le32 notesSize, padding3;
    Le64 eraseOffset;
    Le32 eraseSize, padding4;
    Le64 firstPage64, endPage64, maxPage64;
};
static_assert(sizeof(SubHeader32Aligned) == 96 && offsetof(SubHeader32Aligned, maxPage64) == 88);

struct PageDescriptor {
    Le64 offset;
    Le32 size, flags;
    Le64 pageFlags;
};
static_assert(sizeof(PageDescriptor) == 24);

inline constexpr std::uint32_t writtenVersion = 6;
inline constexpr std::uint32_t incomplete = 8;  ///< in Header::status
inline constexpr std::uint32_t levelZero = 1;   ///< in SubHeader::dumpLevel: zero pages left out

/// How a page is packed, in Header::status and PageDescriptor::flags.
inline constexpr std::uint32_t packedZlib = 1, packedLzo = 2, packedSnappy = 4, packedZstd = 0x20;

constexpr std::uint32_t flagOf(Codec codec) {
    switch (codec) {
    case Codec::zlib: return packedZlib;
    case Codec::lzo: return packedLzo;
    case Codec::snappy: return packedSnappy;
    case Codec::zstd: return packedZstd;
    default: return 0;
    }
}
constexpr Codec codecOf(std::uint32_t flags) {
    if ((flags & packedZlib) != 0) return Codec::zlib;
    if ((flags & packedLzo) != 0) return Codec::lzo;
    if ((flags & packedSnappy) != 0) return Codec::snappy;
    if ((flags & packedZstd) != 0) return Codec::zstd;
    return Codec::none;
}

}  // namespace icecore::kdump
