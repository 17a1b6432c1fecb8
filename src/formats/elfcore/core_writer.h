// Writing ELF cores that gdb, lldb and eu-stack read as if the kernel had written them.
#pragma once

#include "formats/format.h"

namespace icecore {

/// Front to back, without seeking. Layout: header, program headers (PT_NOTE, a PT_LOAD per region,
/// divided where only parts are stored, PT_NOTE), section header 0 where there are more than
/// 65 534, notes, page-aligned memory, the note of unread ranges. Only 64-bit architectures.
Result<WriteReport> writeElfCore(const Snapshot& snapshot, const SavePlan& plan, Sink& sink,
                                 Progress& progress);

}  // namespace icecore
