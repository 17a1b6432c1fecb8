// ZIP with 64-bit sizes, as far as AFF4 uses it. Source: PKWARE's APPNOTE 6.3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::aff4 {

struct ZipLocal {
    Le32 magic;
    Le16 version, flags, method, time, date;
    Le32 crc, packed, size;
    Le16 nameSize, extraSize;
};
static_assert(sizeof(ZipLocal) == 30);

struct ZipCentral {
    Le32 magic;
    Le16 madeBy, version, flags, method, time, date;
    Le32 crc, packed, size;
    Le16 nameSize, extraSize, commentSize, disk, internal;
    Le32 external, offset;
};
static_assert(sizeof(ZipCentral) == 46);

struct ZipEnd {
    Le32 magic;
    Le16 disk, centralDisk, entriesHere, entries;
    Le32 centralSize, centralOffset;
    Le16 commentSize;
};
static_assert(sizeof(ZipEnd) == 22);

struct Zip64Locator {
    Le32 magic, disk;
    Le64 offset;
    Le32 disks;
};
static_assert(sizeof(Zip64Locator) == 20);

struct Zip64End {
    Le32 magic;
    Le64 size;  ///< of the rest of this record
    Le16 madeBy, version;
    Le32 disk, centralDisk;
    Le64 entriesHere, entries, centralSize, centralOffset;
};
static_assert(sizeof(Zip64End) == 56);

inline constexpr std::uint32_t zipLocalMagic = 0x04034b50, zipCentralMagic = 0x02014b50,
                               zipEndMagic = 0x06054b50, zip64EndMagic = 0x06064b50,
                               zip64LocatorMagic = 0x07064b50;
inline constexpr std::uint16_t zipStored = 0, zipDeflated = 8, zip64Extra = 1;
inline constexpr std::uint16_t zip64Version = 45;
/// Flags: names are UTF-8; sizes and checksum stand behind the bytes.
inline constexpr std::uint16_t zipUtf8Names = 1U << 11, zipSizesBehind = 1U << 3;

}  // namespace icecore::aff4
