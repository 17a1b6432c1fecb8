// The verdict as one JSON document: schema "icecore.analysis/1", see docs/analysis.md.
#pragma once

#include "analysis/analysis.h"
#include "views/json.h"

namespace icecore {

/// `analysis` is of `snapshot`'s process. Addresses, offsets and codes are lower-case hex strings;
/// what is not known is left out.
Json analysisJson(const Snapshot& snapshot, const Analysis& analysis);

}  // namespace icecore
