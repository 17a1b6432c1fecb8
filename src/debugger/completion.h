// What a person may mean with what was typed so far.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "debugger/session.h"

namespace icecore::debugger {

struct Completion {
    std::size_t wordLength = 0;           ///< characters at the end of the line that are replaced
    std::vector<std::string> candidates;  ///< sorted, each once
};

/// Completes the word at the end of `line`: a command at the start of one, `module!symbol`, a
/// module's name, a register after '@'.
Completion complete(const Session& session, std::string_view line);

}  // namespace icecore::debugger
