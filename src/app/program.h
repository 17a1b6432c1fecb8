// The whole program behind main: help, version, and the run of one verb.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace icecore::app {

/// Runs `icecore ARGUMENTS…` and returns the exit status.
int runProgram(std::span<const std::string> arguments);

/// The verb whose name is nearest to a mistyped one; empty when none is near.
std::string_view nearestVerb(std::string_view typed);

}  // namespace icecore::app
