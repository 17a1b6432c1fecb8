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
/// Without a seek table (a file that was cut off, or written by plain `zstd`) the frames are found
/// one after another; those of more than 128 MiB, or of unknown size, are unpacked front to back
/// when they are read, from the frame's beginning. What is cut off is an issue of the source.
Result<std::shared_ptr<const Source>> openSeekableZstd(std::shared_ptr<const Source> file);

}  // namespace icecore
