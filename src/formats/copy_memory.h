// Moving gigabytes from a memory into a file: the one loop that all formats share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "base/range.h"
#include "bytes/sink.h"
#include "memory/address_space.h"
#include "model/save_plan.h"

namespace icecore {

/// What of a plan can be stored, as known before anything is read.
struct StorablePlan {
    std::vector<Range> stored;   ///< ascending, disjoint: what has bytes or is zero
    std::vector<Extent> absent;  ///< planned, and known to have no bytes, with the reason
};
/// Narrows a plan to what the memory says it has. Nothing is read.
StorablePlan storablePlan(const AddressSpace& memory, const SavePlan& plan);

struct CopyResult {
    std::uint64_t bytes = 0;      ///< put into the sink, zeros included
    std::uint64_t zeroBytes = 0;  ///< of which whole zero pages, as holes where the sink can
    std::vector<Range> unread;    ///< ascending: reading failed; the file has zeros there
};

/// Writes the bytes of `ranges` one after another, without anything between them, exactly as many
/// as the ranges are long. A thread of its own reads while the caller's writes; at most 4 MiB are
/// on their way. Pages that are zero (known from the extents, or seen) go through Sink::zeros.
/// Where reading fails it goes on at the next page; those ranges get zeros and are returned, for
/// the format to record. `progress` is advanced by bytes; `cancelled` when it says so.
Result<CopyResult> copyMemory(const AddressSpace& memory, std::span<const Range> ranges, Sink& sink,
                              Progress& progress);

}  // namespace icecore
