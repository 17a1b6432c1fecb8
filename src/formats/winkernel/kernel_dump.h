// Dumps of the Windows kernel (MEMORY.DMP, minidumps of C:\Windows\Minidump).
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats. Read: dumps of 64-bit and 32-bit kernels, full, of the kernel
/// alone, triage, in the bitmap forms and as lists of ranges. Written: the memory of any machine.
///
/// A dump opens as a Machine, its physical memory, and as a Process, the kernel: its virtual
/// memory, drivers as modules, its processors as threads (as far as their registers are in the
/// dump; the thread's id is the processor's number), and the bug check as the exception: its code,
/// its four parameters, and the registers at the fault where the bug check tells of them.
Format windowsKernelDumpFormat();

/// Written only: the form whose pages are told by a bitmap.
Format windowsBitmapDumpFormat();

}  // namespace icecore
