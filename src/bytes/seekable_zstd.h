// Zstandard's seekable format: independent frames and a seek table at the end, so that any part
// of a compressed dump is read by decompressing one frame.
// Specification: zstd, contrib/seekable_format/zstd_seekable_compression_format.md.
#pragma once

#include <memory>

#include "base/error.h"
#include "bytes/sink.h"
#include "bytes/source.h"

namespace icecore {

/// Whether the file starts with a zstd frame.
bool isZstd(const Source& source);
/// Whether the file starts with a zstd frame and ends with a seek table.
bool isSeekableZstd(const Source& source);
/// The content of a zstd file as a Source; frames are decompressed when touched and a bounded
/// number is kept. The seek table is checked against the file before anything is allocated.
/// Without a seek table (a file that was cut off, or written by plain `zstd`) the frames are
/// found one after another, as far as they are whole; `unsupported` when they are too big to be
/// decompressed on demand.
Result<std::shared_ptr<const Source>> openSeekableZstd(std::shared_ptr<const Source> file);

}  // namespace icecore
