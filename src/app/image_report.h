// What `info` and `convert` tell of a machine's memory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/range.h"
#include "formats/image/system_guess.h"
#include "model/snapshot.h"
#include "views/json.h"

namespace icecore::app {

/// Labels and values, one line each; an empty label continues the one before.
std::vector<std::pair<std::string, std::string>> machineLines(const Machine& machine);
Json machineJson(const Machine& machine);
/// The same of what the memory itself says, of an image that does not say what system it is of.
std::vector<std::pair<std::string, std::string>> guessLines(const image::SystemGuess& guess);
Json guessJson(const image::SystemGuess& guess);
Json rangesJson(const std::vector<Range>& ranges);

}  // namespace icecore::app
