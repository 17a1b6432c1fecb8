// Running the debugger's commands: given ones, a person's at the prompt, or standard input's.
#pragma once

#include <string>
#include <vector>

#include "debugger/session.h"

namespace icecore::app {

/// Runs `commands`, up to `q`. Without any: talks with a person at the terminal until `q` or the
/// end of input, or runs every line of standard input where nobody sits there. Returns an exit
/// status: `failed` when a command was that did not come from a person.
int runSession(debugger::Session& session, const std::vector<std::string>& commands);

}  // namespace icecore::app
