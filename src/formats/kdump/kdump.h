// kdump-compressed: what makedumpfile and QEMU write of a kernel, each page packed by itself.
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats.
Format kdumpFormat();

}  // namespace icecore
