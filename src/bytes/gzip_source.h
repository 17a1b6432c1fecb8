// Files compressed with gzip, and zlib streams as LiME writes them.
#pragma once

#include <memory>

#include "bytes/source.h"

namespace icecore {

bool isGzip(const Source& file);
/// Whether the file is a zlib stream of a LiME image (`compress=1`), or says by its name (.z, .zz,
/// .zlib) that it is one: two bytes alone are no mark.
bool isZlib(const Source& file);

/// The content of such a file. Neither format tells where what lies, nor (beyond 4 GiB) how long it
/// is: everything is unpacked once when it is opened, which also checks the checksums, and places
/// to begin at are remembered, each MiB of content as long as their windows take at most 64 MiB of
/// memory, further apart then. Damage ends the content and is an issue of the source.
Result<std::shared_ptr<const Source>> openGzip(std::shared_ptr<const Source> file);

}  // namespace icecore
