// AFF4 1.0 images: a map over compressed streams in a ZIP archive.
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats.
Format aff4Format();

}  // namespace icecore
