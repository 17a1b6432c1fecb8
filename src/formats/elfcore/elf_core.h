// ELF cores of processes: by the kernel, gdb's gcore, createdump, QEMU-user and ourselves.
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats.
Format elfCoreFormat();

}  // namespace icecore
