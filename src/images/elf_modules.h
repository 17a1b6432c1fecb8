// Which modules an ELF process has: the program, its libraries, the vdso.
#pragma once

#include "base/issue.h"
#include "model/process.h"

namespace icecore {

/// Finds the modules from `process.regions` (file mappings that begin with an ELF header),
/// `process.auxv` (program headers, vdso) and `process.memory` (headers, build-ids, the dynamic
/// linker's list, which names what regions cannot). Sorted by address; each with range, path,
/// build-id, soname version and load bias, as far as the memory shows them. A file mapped as plain
/// data is not a module: a module has an executable mapping or stands in the linker's list.
/// Marks the regions of modules as RegionKind::image. Bounded by what is mapped; damaged headers
/// cost that module's details and become issues.
void findElfModules(Process& process, Issues& issues);

}  // namespace icecore
