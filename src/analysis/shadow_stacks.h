// Where the processor keeps return addresses a second time.
#pragma once

#include <cstdint>
#include <map>

#include "model/snapshot.h"

namespace icecore {

/// Shadow stack pointers by thread: the attachments "thread/ID/shadow stack pointer", which readers
/// make of contexts with XSTATE_CET_U. Empty when the dump has none.
std::map<std::uint64_t, std::uint64_t> shadowStackPointers(const Snapshot& snapshot);

}  // namespace icecore
