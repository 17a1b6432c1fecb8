// Which regions a clone carries, and what must be copied before the target goes on.
#pragma once

#include <span>
#include <vector>

#include "base/issue.h"
#include "live/linux/kept_memory.h"
#include "live/linux/live_space.h"
#include "model/dump_type.h"

namespace icecore::live {

/// Where the bytes of a region come from in the process that has it.
RegionSource sourceOf(const Region& region);

/// What was found out and copied while the target stood still.
struct Carriage {
    std::vector<RegionSource> sources;  ///< one per region: where a reader of the clone finds it
    KeptMemory kept;
    bool sharedStaysLive = false;  ///< writable shared memory that is read later, as it then is
};

/// Compares the stopped target with its clone and copies from the target what the clone has not:
/// MADV_DONTFORK (marked in `regions`), MADV_WIPEONFORK, and shared memory that is small enough
/// (a clone shares it). Only what a dump of this type can save. `stackPointers` of all threads.
Result<Carriage> compareWithClone(pid_t target, pid_t clone, std::vector<Region>& regions,
                                  DumpType type, std::span<const std::uint64_t> stackPointers);

}  // namespace icecore::live
