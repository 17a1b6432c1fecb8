// Freezing a process that a guardian traces already.
#pragma once

#include <memory>

#include "live/capture.h"
#include "live/linux/guardian.h"

namespace icecore::live {

/// As freeze(): the thread of the event that the guardian has told of last stands where it is, its
/// signal is the exception of the snapshot. With a clone that thread has gone on already, and the
/// watch with it; else it does when the result is released.
Result<std::unique_ptr<FrozenProcess>> freezeWatched(std::shared_ptr<Guardian> guardian,
                                                     std::uint64_t pid,
                                                     const CaptureOptions& options,
                                                     Progress& progress);

}  // namespace icecore::live
