// Dumps of the Windows kernel (MEMORY.DMP, minidumps of C:\Windows\Minidump).
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats. Read: 64-bit dumps, full, triage and in the bitmap forms.
///
/// A dump opens as a Machine, its physical memory, and as a Process, the kernel: its virtual
/// memory, drivers as modules, the processor that stopped as a thread, and the bug check as the
/// exception: its code and its four parameters.
Format windowsKernelDumpFormat();

}  // namespace icecore
