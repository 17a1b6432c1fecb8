// Sections stored compressed (SHF_COMPRESSED, gABI "Compression Header").
#pragma once

#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// The content of a compressed section: a compression header, then zlib or zstd data. A size that
/// no real section can have for so few bytes is refused before anything is allocated.
Result<SharedBytes> decompressSection(ByteView stored, bool is64);

}  // namespace icecore
