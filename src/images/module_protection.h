// What a module's mappings may do, by its own program headers.
#pragma once

#include <span>

#include "model/process.h"

namespace icecore {

/// Sets the protection of those regions of modules that begin inside `doubtful`: by the program
/// headers in `process.memory`, as the loader mapped them (a region inside PT_GNU_RELRO is not
/// writable). A module whose headers are not in memory gets none at all for them, which means
/// "not told". Regions of no module stay as they are. Needs `process.modules`.
void protectAsLinked(Process& process, std::span<const Range> doubtful);

}  // namespace icecore
