// The numbers of zstd's seekable format, for its reader and its writer.
// Specification: zstd, contrib/seekable_format/zstd_seekable_compression_format.md 0.1.0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::zstd_format {

inline constexpr std::uint32_t frameMagic = 0xfd2fb528;
/// Skippable frames have sixteen magic numbers.
inline constexpr std::uint32_t skippableMagic = 0x184d2a50;
inline constexpr std::uint32_t skippableMask = 0xfffffff0;
/// Of the skippable frame that holds the seek table.
inline constexpr std::uint32_t seekTableMagic = 0x184d2a5e;
/// The last four bytes of the file.
inline constexpr std::uint32_t footerMagic = 0x8f92eab1;
inline constexpr std::uint32_t maxFrames = 0x8000000;

struct SkippableHeader {
    Le32 magic;
    Le32 size;  ///< bytes that follow
};
struct SeekEntry {
    Le32 compressedSize;
    Le32 contentSize;
};
struct SeekFooter {
    Le32 frameCount;
    std::uint8_t descriptor = 0;  ///< bit 7: each entry is followed by a checksum of four bytes
    Le32 magic;
};
static_assert(sizeof(SkippableHeader) == 8 && sizeof(SeekEntry) == 8 && sizeof(SeekFooter) == 9);

inline constexpr std::uint8_t hasChecksums = 0x80;
inline constexpr std::uint8_t reservedBits = 0x7c;

/// Content of the frames we write. A small part of a dump is read by decompressing one of them;
/// half of this costs a per cent or two of size, twice as much doubles the work of a look-up.
inline constexpr std::size_t contentPerFrame = std::size_t{1} << 20;

}  // namespace icecore::zstd_format
