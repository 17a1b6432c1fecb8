// LiME's image of physical memory, and AVML's compressed form of it.
#pragma once

#include "formats/format.h"

namespace icecore {

/// Rows of the table of formats.
Format limeFormat();
Format avmlFormat();

}  // namespace icecore
