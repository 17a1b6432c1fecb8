// .echo, .cls, logs, aliases, .help, q.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

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

Result<void> openLog(CommandCall& call) {
    const bool append = call.name == ".logappend";
    if (call.arguments.takeSwitch('t') || call.arguments.takeSwitch('u')) {
        // A time in the name, UTF-16: of no use here.
    }
    const std::string path(call.arguments.takeWord());
    TRY(call.arguments.finish());
    if (path.empty()) return fail(Errc::usage, fmt::format("{} FILE", call.name));
    // The log of a dump must not become the end of it.
    std::error_code ignored;
    if (std::filesystem::equivalent(path, call.session.snapshot().provenance.path, ignored))
        return fail(Errc::exists, "the log would overwrite the dump", path);
    std::ofstream file(path, append ? std::ios::app : std::ios::trunc);
    if (!file) return fail(Errc::io, "cannot open the log file", path);
    call.session.log = std::move(file);
    call.session.logPath = path;
    call.out.print("Opened log file '{}'\n", printable(path));
    return {};
}

Result<void> closeLog(CommandCall& call) {
    TRY(call.arguments.finish());
    if (!call.session.log) return fail(Errc::not_found, "No log file is open");
    call.out.print("Closing open log file {}\n", printable(call.session.logPath));
    call.session.log->flush();
    const bool good = call.session.log->good();
    call.session.log.reset();
    if (!good) return fail(Errc::io, "the log is incomplete", call.session.logPath);
    return {};
}

Result<void> setAlias(CommandCall& call) {
    const std::string name(call.arguments.takeWord());
    std::string_view value = call.arguments.takeRest();
    if (name.empty() || value.empty()) return fail(Errc::usage, "as NAME TEXT");
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    call.session.aliases[name] = std::string(value);
    return {};
}

Result<void> deleteAlias(CommandCall& call) {
    const std::string_view name = call.arguments.takeWord();
    TRY(call.arguments.finish());
    if (name == "*") {
        call.session.aliases.clear();
        return {};
    }
    const auto found = call.session.aliases.find(name);
    if (found == call.session.aliases.end())
        return fail(Errc::not_found, fmt::format("No alias named '{}'", printable(name)));
    call.session.aliases.erase(found);
    return {};
}

Result<void> listAliases(CommandCall& call) {
    TRY(call.arguments.finish());
    if (call.session.aliases.empty()) {
        call.out.write("No aliases\n");
        return {};
    }
    call.out.print("  {:<16} {}\n  {:-<16} {:-<16}\n", "Alias", "Value", "", "");
    for (const auto& [name, value] : call.session.aliases)
        call.out.print("  {:<16} {}\n", printable(name), printable(value));
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
