#include "debugger/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "debugger/command.h"
#include "debugger/module_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

/// `~*e "~*e …"` inside one another.
constexpr int deepestLine = 4;

bool isLetter(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view skipBlanks(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

/// Characters up to the first ';' outside double quotes.
std::size_t commandLength(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (text[i] == ';' && !quoted) return i;
    }
    return text.size();
}

/// Takes `~*`, `~3`… off the front of `text`, which begins with '~'.
Result<ThreadPrefix> takeThreadPrefix(std::string_view& text) {
    ThreadPrefix prefix;
    text.remove_prefix(1);
    if (text.empty()) return prefix;
    const char c = text.front();
    if (c == '*' || c == '.' || c == '#') {
        prefix.kind = c == '*'   ? ThreadPrefix::Kind::all
                      : c == '.' ? ThreadPrefix::Kind::current
                                 : ThreadPrefix::Kind::event;
        text.remove_prefix(1);
    } else if (isDigit(c)) {
        std::size_t end = 0;
        while (end < text.size() && isDigit(text[end]))
            ++end;
        const auto number = parseDecimal(text.substr(0, end));
        if (!number) return fail(Errc::usage, "Illegal thread number");
        prefix.kind = ThreadPrefix::Kind::number;
        prefix.number = *number;
        text.remove_prefix(end);
    } else if (text.starts_with("~[")) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return fail(Errc::usage, "~~[TID] is not closed");
        prefix.kind = ThreadPrefix::Kind::id;
        prefix.id = text.substr(2, close - 2);
        text.remove_prefix(close + 1);
    }
    return prefix;
}

/// The command's name at the front of `text`.
std::size_t wordLength(std::string_view text) {
    if (text.empty()) return 0;
    std::size_t length = 1;
    const char c = text.front();
    if (c == '?') return text.starts_with("??") ? 2 : 1;
    if (c == '.' || c == '!') {
        while (length < text.size() && (isLetter(text[length]) || isDigit(text[length]) ||
                                        text[length] == '_' || text[length] == '.'))
            ++length;
        return length;
    }
    if (!isLetter(c)) return 1;
    while (length < text.size() && isLetter(text[length]))
        ++length;
    return length;
}

bool definesAliases(std::string_view line) {
    const std::string_view word = line.substr(0, wordLength(line));
    return equalsIgnoreCase(word, "as") || equalsIgnoreCase(word, "ad") ||
           equalsIgnoreCase(word, "al");
}

}  // namespace

Result<CutCommand> cutCommand(std::string_view& line) {
    CutCommand cut;
    line = skipBlanks(line);
    while (!line.empty() && line.front() == ';')
        line = skipBlanks(line.substr(1));
    if (line.empty()) return cut;
    if (line.front() == '*') {  // a comment up to the end of the line
        line = {};
        return cut;
    }
    if (line.starts_with("$$")) {  // a comment up to the next command
        line.remove_prefix(commandLength(line));
        return cut;
    }
    if (line.front() == '~') {
        cut.tilde = true;
        ASSIGN_OR_RETURN(cut.thread, takeThreadPrefix(line));
        line = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
        // `~*e CMD`, `~3s` and `~3`: single letters of '~' itself.
        const std::size_t word = wordLength(line);
        if (line.empty() || line.front() == ';') {
            cut.word = "~";
            return cut;
        }
        if ((line.front() == 'e' || line.front() == 's') && (word == 1 || line.front() == 'e') &&
            cut.thread.kind != ThreadPrefix::Kind::none) {
            cut.word = line.substr(0, 1);
            line.remove_prefix(1);
            const std::size_t end = commandLength(line);
            cut.arguments = trim(line.substr(0, end));
            line.remove_prefix(end);
            return cut;
        }
    }
    const std::size_t word = wordLength(line);
    cut.word = line.substr(0, word);
    line.remove_prefix(word);
    const FoundCommand found = findCommand(cut.word);
    // `.sympath` alone may be followed by other commands.
    const bool bare = skipBlanks(line).starts_with(';');
    const bool whole = found.command != nullptr && found.command->wholeLine && !bare;
    const std::size_t end = whole ? line.size() : commandLength(line);
    cut.arguments = trim(line.substr(0, end));
    line.remove_prefix(end);
    return cut;
}

std::string expandAliases(const Session& session, std::string_view line) {
    if (session.aliases.empty() || definesAliases(skipBlanks(line))) return std::string(line);
    std::string result;
    const auto ends = [](char c) { return c == ' ' || c == '\t' || c == ';' || c == '"'; };
    std::size_t at = 0;
    while (at < line.size()) {
        if (line.substr(at).starts_with("${")) {
            const std::size_t close = line.find('}', at);
            if (close != std::string_view::npos) {
                const auto alias = session.aliases.find(line.substr(at + 2, close - at - 2));
                result += alias != session.aliases.end() ? std::string_view(alias->second)
                                                         : line.substr(at, close - at + 1);
                at = close + 1;
                continue;
            }
        }
        if (ends(line[at])) {
            result += line[at++];
            continue;
        }
        std::size_t end = at;
        while (end < line.size() && !ends(line[end]) && !line.substr(end).starts_with("${"))
            ++end;
        const std::string_view word = line.substr(at, end - at);
        const auto alias = session.aliases.find(word);
        result += alias != session.aliases.end() ? std::string_view(alias->second) : word;
        at = end;
    }
    return result;
}

void Interpreter::Tee::write(std::string_view text) {
    screen_.write(text);
    if (session_.log) {
        session_.log->write(text.data(), static_cast<std::streamsize>(text.size()));
        session_.log->flush();
    }
}

Interpreter::Interpreter(Session& session, Output& out) : session_(session), out_(session, out) {}

std::string Interpreter::prompt() const {
    return fmt::format("0:{:03}> ", session_.threadIndex());
}

bool Interpreter::execute(std::string_view line) {
    session_.clearInterrupt();
    if (session_.log) {
        *session_.log << prompt() << line << '\n';
    }
    return executeLine(expandAliases(session_, line), 0);
}

bool Interpreter::executeLine(std::string_view line, int depth) {
    if (depth > deepestLine) {
        return report(fail(Errc::limit, "commands are nested too deeply"));
    }
    bool good = true;
    while (!session_.quit && !session_.interrupted()) {
        const Result<CutCommand> command = cutCommand(line);
        if (!command) return report(std::unexpected(command.error()));
        if (command->word.empty()) {
            if (line.empty()) break;
            continue;
        }
        good = executeOne(*command, depth) && good;
    }
    if (session_.interrupted() && depth == 0) {
        out_.write("^C interrupted\n");
        return false;
    }
    return good;
}

bool Interpreter::executeOne(const CutCommand& command, int depth) {
    if (!command.tilde) return dispatch(command.word, command.arguments);
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
        return dispatch("~", range);
    }
    if (command.word == "s") {
        if (all) return report(fail(Errc::usage, "~*s: only one thread can be current"));
        session_.selectThread(first);
        return dispatch("r", "");
    }
    if (command.thread.kind == ThreadPrefix::Kind::none) {
        return report(fail(Errc::usage,
                           fmt::format("~{}: which thread? (~*, ~., ~#, ~NUMBER)", command.word)));
    }
    const bool stacks = command.word.front() == 'k';
    if (all) session_.prepareAllStacks();
    bool good = true;
    for (std::size_t i = first; i < last && !session_.interrupted() && !session_.quit; ++i) {
        const std::size_t home = session_.threadIndex();
        const ThreadVisit visit(session_, i);
        if (all && (stacks || command.word == "e")) {
            // The mark shows where the person stands, not where the loop is.
            out_.write("\n" + threadLine(session_, i, home));
        }
        if (command.word == "e") {
            std::string_view inner = command.arguments;
            if (inner.size() >= 2 && inner.front() == '"' && inner.back() == '"')
                inner = inner.substr(1, inner.size() - 2);
            good = executeLine(inner, depth + 1) && good;
        } else {
            good = dispatch(command.word, command.arguments) && good;
        }
    }
    return good;
}

bool Interpreter::dispatch(std::string_view word, std::string_view arguments) {
    const FoundCommand found = findCommand(word);
    if (found.command == nullptr) {
        const std::string_view nearest = nearestCommand(word);
        return report(
            fail(Errc::usage,
                 nearest.empty()
                     ? fmt::format("Unknown command '{}' (.help lists them)", printable(word))
                     : fmt::format("Unknown command '{}'; did you mean '{}'? (.help lists them)",
                                   printable(word), nearest)));
    }
    CommandCall call{session_, out_, found.command->name, found.flags,
                     Arguments(arguments, session_)};
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
