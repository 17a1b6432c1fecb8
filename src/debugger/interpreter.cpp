#include "debugger/interpreter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/command.h"
#include "debugger/module_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

/// `~*e "~*e …"`, blocks and scripts inside one another.
constexpr int deepestLine = 12;

}  // namespace

void Interpreter::Tee::write(std::string_view text) {
    if (catcher_ != nullptr) {
        catcher_->write(text);
        return;
    }
    screen_.write(text);
    if (session_.log) {
        session_.log->write(text.data(), static_cast<std::streamsize>(text.size()));
        session_.log->flush();
    }
}

Interpreter::Interpreter(Session& session, Output& out) : session_(session), out_(session, out) {}

std::string Interpreter::prompt() const {
    const bool native = session_.arch() == session_.nativeArch();
    return fmt::format("0:{:03}{}> ", session_.threadIndex(),
                       native ? "" : fmt::format(":{}", toString(session_.arch())));
}

bool Interpreter::execute(std::string_view line) {
    session_.clearInterrupt();
    if (session_.log) {
        *session_.log << prompt() << line << '\n';
    }
    leaving_ = Leaving::nothing;
    commandsLeft_ = session_.commandLimit;
    return executeLine(withAliases(line), 0);
}

std::string Interpreter::withAliases(std::string_view line) const {
    if (definesAliases(line)) return std::string(line);
    // Names of the others begin with a '$'.
    if (line.find('$') == std::string_view::npos) return putAliases(session_.aliases, line);
    Aliases all = session_.aliases;
    all.insert(session_.automaticAliases().begin(), session_.automaticAliases().end());
    return putAliases(all, putFixedAliases(session_.fixedAliases, line));
}

bool Interpreter::stopped() const {
    return session_.quit || session_.interrupted() || leaving_ != Leaving::nothing ||
           commandsLeft_ == 0;
}

bool Interpreter::executeLine(std::string_view line, int depth) {
    if (depth > deepestLine) {
        return report(fail(Errc::limit, "commands are nested too deeply"));
    }
    bool good = true;
    const std::string_view whole = line;
    std::size_t turns = 0;
    while (!stopped()) {
        const Result<CutCommand> command = cutCommand(line);
        if (!command) return report(std::unexpected(command.error()));
        if (command->word.empty()) {
            if (line.empty()) break;
            continue;
        }
        bool went = false;
        if (!command->tilde && equalsIgnoreCase(command->word, "z")) {
            const auto again = evaluate(command->arguments, session_);
            went = again ? countCommand() : report(std::unexpected(again.error()));
            if (went && *again != 0) {
                out_.print("redo [{}] {}\n", ++turns, trim(whole));
                line = whole;
            }
        } else {
            went = executeOne(*command, depth);
        }
        good = went && good;
        if (!went && guards_ > 0 && leaving_ == Leaving::nothing) leaving_ = Leaving::guarded;
    }
    if (session_.interrupted() && depth == 0) {
        out_.write("^C interrupted\n");
        return false;
    }
    return good;
}

bool Interpreter::executeBlock(std::string_view block, int depth) {
    return executeLine(withAliases(block), depth + 1);
}

bool Interpreter::captureLine(std::string_view line, int depth, std::string& caught) {
    TextOutput output;
    Output* before = out_.redirect(&output);
    const bool good = executeLine(line, depth + 1);
    out_.redirect(before);
    caught = output.take();
    return good;
}

bool Interpreter::countCommand() {
    if (commandsLeft_ == 0) return false;
    if (--commandsLeft_ > 0) return true;
    return report(
        fail(Errc::limit, fmt::format("{} commands have run: stopped", session_.commandLimit)));
}

bool Interpreter::executeOne(const CutCommand& command, int depth) {
    if (!countCommand()) return false;
    if (!command.tilde) return dispatch(command.word, command.arguments, depth);
    return executeForThreads(command, depth);
}

bool Interpreter::executeForThreads(const CutCommand& command, int depth) {
    const std::size_t count = session_.process().threads.size();
    std::size_t first = 0;
    std::size_t last = count;
    switch (command.thread.kind) {
    case ThreadPrefix::Kind::none: break;
    case ThreadPrefix::Kind::all: break;
    case ThreadPrefix::Kind::current:
        first = session_.threadIndex();
        last = first + 1;
        break;
    case ThreadPrefix::Kind::event:
        first = session_.eventThread().value_or(session_.threadIndex());
        last = first + 1;
        break;
    case ThreadPrefix::Kind::number:
        first = static_cast<std::size_t>(command.thread.number);
        last = first + 1;
        break;
    case ThreadPrefix::Kind::id: {
        const auto id = evaluate(command.thread.id, session_);
        if (!id) return report(std::unexpected(id.error()));
        first = count;
        for (std::size_t i = 0; i < count; ++i) {
            if (session_.process().threads[i].id == *id) first = i;
        }
        last = first + 1;
        break;
    }
    }
    if (first >= count || last > count || last <= first) {
        return report(fail(
            Errc::not_found,
            count == 0 ? "the dump has no threads"
                       : fmt::format("Illegal thread error: threads 0 to {} exist", count - 1)));
    }
    const bool all = command.thread.kind == ThreadPrefix::Kind::all;
    if (command.word == "~") {
        const std::string range =
            command.thread.kind == ThreadPrefix::Kind::none || all ? "" : std::to_string(first);
        return dispatch("~", range, depth);
    }
    if (command.word == "s") {
        if (all) return report(fail(Errc::usage, "~*s: only one thread can be current"));
        session_.selectThread(first);
        return dispatch("r", "", depth);
    }
    if (command.thread.kind == ThreadPrefix::Kind::none) {
        return report(fail(Errc::usage,
                           fmt::format("~{}: which thread? (~*, ~., ~#, ~NUMBER)", command.word)));
    }
    const bool stacks = command.word.front() == 'k';
    if (all) session_.prepareAllStacks();
    bool good = true;
    for (std::size_t i = first; i < last && !stopped(); ++i) {
        const std::size_t home = session_.threadIndex();
        const ThreadVisit visit(session_, i);
        if (all && stacks) {
            // The mark shows where the person stands, not where the loop is.
            out_.write("\n" + threadLine(session_, i, home));
        }
        if (command.word == "e") {
            std::string_view inner = command.arguments;
            if (inner.size() >= 2 && inner.front() == '"' && inner.back() == '"')
                inner = inner.substr(1, inner.size() - 2);
            // Inside one another they multiply: few levels are enough.
            constexpr int weight = 3;
            good = executeLine(inner, depth + weight) && good;
        } else {
            good = dispatch(command.word, command.arguments, depth) && good;
        }
    }
    return good;
}

bool Interpreter::dispatch(std::string_view word, std::string_view arguments, int depth) {
    if (isControlWord(word)) return executeControl(word, arguments, depth);
    if (!scriptWord(word).empty()) return runScript(word, arguments, depth);
    if (equalsIgnoreCase(word, "as")) return executeAlias(word, arguments, depth);
    if (equalsIgnoreCase(word, "j")) return executeEither(arguments, depth);
    if (equalsIgnoreCase(word, ".leave")) {
        if (guards_ == 0) return report(fail(Errc::usage, ".leave outside of .catch"));
        leaving_ = Leaving::guarded;
        return true;
    }
    if (equalsIgnoreCase(word, ".break") || equalsIgnoreCase(word, ".continue")) {
        leaving_ = equalsIgnoreCase(word, ".break") ? Leaving::loop : Leaving::iteration;
        return true;
    }
    const FoundCommand found = findCommand(word);
    if (found.command == nullptr) {
        if (const ExtensionCommand* command = session_.extensions.find(word)) {
            return report(Extensions::run(
                *command, arguments, session_, out_,
                [&](std::string_view line) { return executeLine(line, depth + 1); }));
        }
        const std::string_view nearest = nearestCommand(word);
        return report(
            fail(Errc::usage,
                 nearest.empty()
                     ? fmt::format("Unknown command '{}' (.help lists them)", printable(word))
                     : fmt::format("Unknown command '{}'; did you mean '{}'? (.help lists them)",
                                   printable(word), nearest)));
    }
    CommandCall call{session_,
                     out_,
                     found.command->name,
                     found.flags,
                     Arguments(arguments, session_),
                     [&](std::string_view line) { return executeLine(line, depth + 1); }};
    const bool good = report(found.command->run(call));
    if (session_.noisySymbols) tellSymbolSearches();
    return good;
}

void Interpreter::tellSymbolSearches() {
    for (const Module& module : session_.process().modules) {
        const ModuleSymbols* symbols = session_.symbolizer().loadedModule(module);
        if (symbols == nullptr || !session_.toldSymbols.insert(&module).second) continue;
        out_.write(symbolSearchText(session_, module, *symbols));
    }
}

bool Interpreter::report(const Result<void>& result) {
    if (result) return true;
    out_.print("{}\n", result.error().describe());
    return false;
}

}  // namespace icecore::debugger
