// A QEMU guest's memory, through QEMU itself.
#pragma once

#include "live/ram/ram_source.h"

namespace icecore::ram {

/// Connects to the QMP socket at `path`, pauses the guest (unless `live`) until the memory is let
/// go of, and asks for its memory piece by piece: dump-guest-memory of some MiB into an anonymous
/// file of ours, whose descriptor QEMU is given. So nothing has to fit on a disk, QEMU needs no
/// right to any folder, and what is not asked for is not copied.
Result<RamSource> openGuest(const std::string& path, bool live);

}  // namespace icecore::ram
