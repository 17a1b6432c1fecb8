// Files that are compressed, or wrapped, as a whole.
#pragma once

#include <memory>

#include "bytes/source.h"

namespace icecore {

/// The content of a file in gzip, xz, zstd, LiME's zlib, DumpIt's ZDMP or makedumpfile's flattened
/// form, which may lie one in the other twice; the file itself where it is none of them.
Result<std::shared_ptr<const Source>> unpacked(std::shared_ptr<const Source> file);

}  // namespace icecore
