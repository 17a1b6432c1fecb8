// ELF cores of machines: by Linux' kdump, QEMU's dump-guest-memory, VirtualBox, WinPmem and
// ourselves.
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats.
Format vmcoreFormat();

}  // namespace icecore
