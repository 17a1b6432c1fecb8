// Sections stored compressed (SHF_COMPRESSED, gABI "Compression Header"; before there was that,
// GNU's .zdebug_* sections).
#pragma once

#include <string_view>

#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// The content of a compressed section: a compression header, then zlib or zstd data. A size that
/// no real section can have for so few bytes is refused before anything is allocated.
Result<SharedBytes> decompressSection(ByteView stored, bool is64);

/// The content of a section whose name begins with ".zdebug_": "ZLIB", the size (eight bytes, big
/// endian), zlib data. Source: binutils' bfd/compress.c.
Result<SharedBytes> decompressGnuSection(ByteView stored);

inline constexpr std::string_view gnuCompressedPrefix = ".zdebug_";

}  // namespace icecore
