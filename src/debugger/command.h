// What a command is: one row of the table in command_table.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "debugger/arguments.h"
#include "debugger/output.h"
#include "debugger/session.h"

namespace icecore::debugger {

/// One call of a command.
struct CommandCall {
    Session& session;
    Output& out;
    std::string_view name;   ///< as the table has it: "k", "lm", "db"
    std::string_view flags;  ///< letters typed behind it: "bn" of "kbn"
    Arguments arguments;
    /// Runs a line of commands, for commands that are given some; false when one failed.
    std::function<bool(std::string_view line)> execute;
};

/// A failed command returns why; what it printed before stands.
using CommandFunction = Result<void> (*)(CommandCall& call);

struct Command {
    std::string_view name;
    /// Letters that may follow the name in any order and number ("kbn", "lmvm").
    std::string_view flags;
    std::string_view usage;    ///< arguments, for `.help`
    std::string_view summary;  ///< one line, for `.help`
    CommandFunction run;
    /// Takes the rest of the line, ';' included (`.sympath a;b`).
    bool wholeLine = false;
};

/// All commands, in the order `.help` lists them.
std::span<const Command> allCommands();

struct FoundCommand {
    const Command* command = nullptr;
    std::string_view flags;
};
/// The command that `word` calls ("kbn" → k with flags "bn"), or null. Exact case first.
FoundCommand findCommand(std::string_view word);
/// The name most like `word`, or empty when none is near.
std::string_view nearestCommand(std::string_view word);

}  // namespace icecore::debugger
