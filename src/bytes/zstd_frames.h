// The frames of a zstd file, found by walking over their blocks without unpacking them.
// Specification: RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type".
#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "bytes/source.h"

namespace icecore {

struct ZstdFrame {
    std::uint64_t file = 0;                ///< offset
    std::uint64_t size = 0;                ///< bytes in the file
    std::optional<std::uint64_t> content;  ///< bytes it holds, where that can be told
    bool skippable = false;                ///< holds nothing
    bool cut = false;                      ///< the file ends within it
};

/// Ascending. Ends silently before bytes that are no frame. An error where a frame claims more
/// content than its blocks can hold, or where there are more frames than can be listed.
Result<std::vector<ZstdFrame>> walkZstdFrames(const Source& file);

/// The content of frames that are too big to be unpacked as a whole, or do not say how long they
/// are: those are unpacked once to find out. Each frame is a place where reading can begin.
Result<std::shared_ptr<const Source>> openZstdFrames(std::shared_ptr<const Source> file,
                                                     const std::vector<ZstdFrame>& frames);

}  // namespace icecore
