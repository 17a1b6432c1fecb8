// Files compressed with xz.
#pragma once

#include <memory>

#include "bytes/source.h"

namespace icecore {

bool isXz(const Source& file);

/// The content of such a file, by the indices of its streams: each block can be begun at. `xz -T0`
/// writes blocks of three dictionaries (24 MiB by default), `xz` alone (before 5.6) one for
/// everything; then reading on is cheap and reading back begins at the front. Files that were cut
/// off have no index: their blocks are found one after another, and unpacked where they do not say
/// how long they are.
Result<std::shared_ptr<const Source>> openXz(std::shared_ptr<const Source> file);

}  // namespace icecore
