// The functions of the format's row.
#pragma once

#include "formats/format.h"

namespace icecore::kdump {

bool probe(const Source& source);
/// Plain or flattened, of versions 1 to 6; pages are unpacked when touched.
Result<Snapshot> open(std::shared_ptr<const Source> source);
/// Format::wholeBytes.
std::uint64_t wholeBytes(const std::shared_ptr<const Source>& begun);
/// Where the sink can be patched a plain file, else (a pipe) a flattened one, as bitmaps and
/// descriptors stand before the pages they describe.
Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress);

}  // namespace icecore::kdump
