#include "app/repl.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "app/console.h"
#include "app/line_editor.h"
#include "app/verb.h"
#include "debugger/completion.h"
#include "debugger/event_text.h"
#include "debugger/interpreter.h"

namespace icecore::app {

namespace {

/// The session that ^C stops: set before the handler is installed, cleared after it is gone.
debugger::Session* interruptible = nullptr;

LineEditor::Completion completionFor(debugger::Session& session, std::string_view line) {
    debugger::Completion found = debugger::complete(session, line);
    return {found.wordLength, std::move(found.candidates)};
}

/// What an empty line after `line` does: the same again, but that disassembly and memory go on
/// where they ended.
std::string repeatOf(std::string_view line) {
    std::string_view rest = line;
    const auto cut = debugger::cutCommand(rest);
    const bool alone = cut && !cut->tilde && rest.empty() && !cut->word.empty();
    const bool goesOn = alone && (cut->word.front() == 'd' || cut->word == "u");
    return std::string(goesOn ? cut->word : line);
}

/// Runs every line of standard input. True when no command failed.
bool runInput(debugger::Session& session) {
    Console console(false);
    debugger::Interpreter interpreter(session, console);
    bool good = true;
    std::string line;
    while (!session.quit && std::getline(std::cin, line)) {
        good = interpreter.execute(line) && good;
        console.flush();
    }
    return good;
}

/// Talks with a person until `q` or the end of input.
void runPrompt(debugger::Session& session) {
    Console console(true);
    debugger::Interpreter interpreter(session, console);
    const auto editor = createLineEditor(
        [&session](std::string_view line) { return completionFor(session, line); });
    if (editor == nullptr) {
        console.write("the terminal cannot be used for line editing\n");
        runInput(session);
        return;
    }
    interruptible = &session;
    {
        const InterruptGuard guard([] { interruptible->interrupt(); });
        console.write(debugger::bannerText(session));
        console.flush();
        std::string last;
        while (!session.quit) {
            const auto line = editor->read(interpreter.prompt());
            if (!line) {
                console.write("\n");
                break;
            }
            interpreter.execute(line->empty() ? last : *line);
            if (!line->empty()) last = repeatOf(*line);
            console.flush();
        }
    }
    interruptible = nullptr;
}

}  // namespace

int runSession(debugger::Session& session, const std::vector<std::string>& commands) {
    if (commands.empty() && isInteractive()) {
        runPrompt(session);
        return done;
    }
    if (commands.empty()) return runInput(session) ? done : failed;
    Console console(false);
    debugger::Interpreter interpreter(session, console);
    bool good = true;
    for (const std::string& line : commands) {
        if (session.quit) break;
        good = interpreter.execute(line) && good;
    }
    return good ? done : failed;
}

}  // namespace icecore::app
