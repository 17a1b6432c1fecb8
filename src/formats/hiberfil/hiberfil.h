// Windows' hibernation file, of Windows 8 and later.
#pragma once

#include "formats/format.h"

namespace icecore {

/// Read only. Pages that Windows left out (free ones) are in no hibernation file.
Format hiberfilFormat();

}  // namespace icecore
