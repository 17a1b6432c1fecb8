// .echo, .cls, .help, q.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/commands.h"

namespace icecore::debugger {

Result<void> echo(CommandCall& call) {
    std::string_view text = call.arguments.takeRest();
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    call.out.print("{}\n", text);
    return {};
}

Result<void> clearScreen(CommandCall& call) {
    TRY(call.arguments.finish());
    call.out.clear();
    return {};
}

Result<void> showHelp(CommandCall& call) {
    const std::string_view wanted = call.arguments.takeWord();
    std::size_t shown = 0;
    for (const Command& command : allCommands()) {
        if (command.summary.empty()) continue;
        if (!wanted.empty() && findCommand(wanted).command != &command) continue;
        std::string usage(command.name);
        if (!command.flags.empty()) usage += fmt::format("[{}]", command.flags);
        if (!command.usage.empty()) usage += fmt::format(" {}", command.usage);
        if (usage.size() > 30) usage += fmt::format("\n{:30}", "");
        call.out.print("{:<30} {}\n", usage, command.summary);
        ++shown;
    }
    if (shown == 0) {
        return fail(Errc::not_found, fmt::format("no command is called '{}'", printable(wanted)));
    }
    if (wanted.empty()) {
        call.out.write(
            "\n~N, ~., ~#, ~* before a command run it for thread N, the current one, the "
            "one of the exception, all; ~Ns goes to thread N. Commands are joined by ';'. "
            "Numbers are hex unless they begin with 0n.\n");
    }
    return {};
}

Result<void> misplaced(CommandCall& call) {
    // The interpreter takes these before it looks into the table; the row is for .help.
    return fail(Errc::usage, fmt::format("{} makes no sense here", call.name));
}

Result<void> quit(CommandCall& call) {
    call.session.quit = true;
    return {};
}

}  // namespace icecore::debugger
