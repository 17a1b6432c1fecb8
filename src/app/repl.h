// The debugger prompt: reads lines, runs them, prints what comes.
#pragma once

#include "debugger/session.h"

namespace icecore::app {

/// Talks with a person at the terminal until `q` or the end of input.
void runPrompt(debugger::Session& session);

/// Runs every line of standard input. True when no command failed.
bool runInput(debugger::Session& session);

}  // namespace icecore::app
