// Windows' bug checks (stop codes) in words.
#pragma once

#include "analysis/analysis.h"

namespace icecore {

/// What the kernel's reason means, and each of its parameters.
BugCheck explainBugCheck(std::uint32_t code, const std::vector<std::uint64_t>& parameters);

/// The codes whose meaning is told, not only their name.
std::vector<std::uint32_t> explainedBugChecks();

/// The image whose code asked for the bug check, where its stack begins in the kernel itself and
/// not at a fault; empty when all of the stack is the kernel's.
std::string bugCheckingDriver(const Exception& exception, const NamedStack& stack);

}  // namespace icecore
