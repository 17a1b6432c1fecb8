// Which thread has which mutex, as a dump of Windows tells.
#pragma once

#include <cstdint>
#include <map>

#include "model/snapshot.h"

namespace icecore {

/// Ids of threads by the handle of the mutex that each has: the attachment "handles/owners", which
/// readers make of MINIDUMP_HANDLE_OBJECT_INFORMATION. Empty when the dump has none.
std::map<std::uint64_t, std::uint64_t> mutexOwners(const Snapshot& snapshot);

}  // namespace icecore
