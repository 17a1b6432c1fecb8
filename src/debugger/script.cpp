// $<, $><, $$<, $$><, $$>a<: commands out of a file.
#include <fmt/format.h>

#include <fstream>

#include "base/text.h"
#include "debugger/interpreter.h"

namespace icecore::debugger {

namespace {

/// A script is no longer than this, in bytes; something else hides behind the name.
constexpr std::uint64_t longestScript = 1U << 20U;

Result<std::string> scriptText(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Errc::io, "cannot read the script", path);
    std::string text(longestScript + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > longestScript) return fail(Errc::limit, "the script is too long", path);
    return text;
}

std::string_view takePath(std::string_view& text) {
    text = trim(text);
    if (text.starts_with('"')) {
        const std::size_t close = std::min(text.find('"', 1), text.size());
        const std::string_view path = text.substr(1, close - 1);
        text = trim(text.substr(std::min(close + 1, text.size())));
        return path;
    }
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view path = text.substr(0, end);
    text = trim(text.substr(end));
    return path;
}

/// What goes between two lines that become one: a ';' unless a block is open or goes on.
std::string_view separator(std::string_view before, std::string_view next) {
    if (before.empty() || before.ends_with('{') || before.ends_with(';')) return " ";
    if (next.starts_with('{') || next.starts_with('}')) return " ";
    const bool goesOn = next.starts_with(".else") || next.starts_with(".elsif");
    return before.ends_with('}') && goesOn ? " " : ";";
}

}  // namespace

bool Interpreter::runScript(std::string_view word, std::string_view arguments, int depth) {
    Aliases given;
    std::string path;
    if (word == "$$>a<") {
        path = std::string(takePath(arguments));
        for (std::size_t number = 1; !arguments.empty() && number < 100; ++number)
            given.emplace(fmt::format("$arg{}", number), std::string(takePath(arguments)));
    } else {
        // A path may hold blanks.
        path = std::string(trim(arguments));
        if (path.size() >= 2 && path.front() == '"' && path.back() == '"')
            path = path.substr(1, path.size() - 2);
    }
    if (path.empty()) return report(fail(Errc::usage, fmt::format("{}FILE", word)));
    auto text = scriptText(path);
    if (!text) return report(std::unexpected(text.error()));

    // '>' makes one line of all, so that blocks may go over several; else each is run as typed.
    const bool joined = word.find('>') != std::string_view::npos;
    bool good = true;
    std::string all;
    for (std::string_view line : split(*text, '\n')) {
        if (stopped()) break;
        line = trim(line);
        if (joined) {
            // What a comment takes ends with its own line.
            if (line.empty() || line.starts_with('*') ||
                (line.starts_with("$$") && scriptWord(line).empty()))
                continue;
            all += separator(all, line);
            all += line;
        } else {
            good = executeLine(withAliases(putAliases(given, line)), depth + 1) && good;
        }
    }
    if (!joined) return good;
    return executeLine(withAliases(putAliases(given, all)), depth + 1);
}

}  // namespace icecore::debugger
