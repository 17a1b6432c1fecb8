// Windows' bug checks (stop codes) in words.
#pragma once

#include "analysis/analysis.h"

namespace icecore {

/// What the kernel's reason means, and each of its parameters.
BugCheck explainBugCheck(std::uint32_t code, const std::vector<std::uint64_t>& parameters);

/// The codes whose meaning is told, not only their name.
std::vector<std::uint32_t> explainedBugChecks();

}  // namespace icecore
