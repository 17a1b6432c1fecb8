// Freezing a process that a guardian traces already.
#pragma once

#include <memory>

#include "live/capture.h"
#include "live/linux/guardian.h"

namespace icecore::live {

/// As freeze(): the thread of the event that the guardian has told of last stands where it is, its
/// signal is the exception of the snapshot. When the result is released, that thread goes on and
/// the watch with it.
Result<std::unique_ptr<FrozenProcess>> freezeWatched(std::shared_ptr<Guardian> guardian,
                                                     std::uint64_t pid,
                                                     const CaptureOptions& options,
                                                     Progress& progress);

}  // namespace icecore::live
