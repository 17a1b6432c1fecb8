// The .xz container: what .gnu_debugdata holds.
#pragma once

#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// Decompresses an .xz file; at most `limit` bytes come out of it.
Result<SharedBytes> decompressXz(ByteView stored, std::uint64_t limit);

}  // namespace icecore
