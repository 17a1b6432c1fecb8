// Images without any structure: byte N of the file is physical address N, or all ranges joined.
#pragma once

#include "formats/format.h"

namespace icecore {

/// Rows of the table of formats. `joined` can only be written: what it leaves out, nobody can tell
/// from the file.
Format rawFormat();
Format joinedFormat();

}  // namespace icecore
