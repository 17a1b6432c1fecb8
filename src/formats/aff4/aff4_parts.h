// The functions of the format's row.
#pragma once

#include "formats/aff4/container.h"
#include "formats/format.h"

namespace icecore::aff4 {

/// Opens the standard's images and, of older ones, WinPmem 2.1's and those of before the standard.
Result<Snapshot> open(std::shared_ptr<const Source> source);
/// Which object of a container is the image: its map or stream. Empty where there is none.
std::string imageOf(const Graph& graph);

/// Every hash: of blocks, streams, indices, maps and the image.
Result<std::vector<FormatCheck>> verify(std::shared_ptr<const Source> source, Progress& progress);

/// One volume: a stream with what is not zero, a map, SHA-256 of each chunk, and the hash over all
/// of them and the map. Written front to back.
Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress);

}  // namespace icecore::aff4
