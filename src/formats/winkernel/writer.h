// Kernel dumps of 64-bit Windows out of a machine's memory.
#pragma once

#include "formats/format.h"

namespace icecore::winkernel {

/// The header of the dump that a snapshot was read from, 0x2000 bytes: written back, with other
/// pages, where its memory is written as a kernel dump again.
inline constexpr std::string_view headerAttachment = "windows/kernel-dump-header";

/// Type 1, or the bitmap form where there are more runs of pages than a header has room for.
Result<WriteReport> writeFull(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                              Progress& progress);
/// Type 5: pages that cannot be read are left out of it, where the output can be corrected.
Result<WriteReport> writeBitmap(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                                Progress& progress);

}  // namespace icecore::winkernel
