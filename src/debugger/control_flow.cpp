// .if, .foreach, .for, .while, .block: commands in braces, run when and as often as they say.
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "debugger/interpreter.h"

namespace icecore::debugger {

namespace {

/// Takes a word that stands alone at the front ("`.else` {"); case does not count.
bool takeKeyword(std::string_view& text, std::string_view word) {
    text = trim(text);
    if (text.size() < word.size() || !equalsIgnoreCase(text.substr(0, word.size()), word))
        return false;
    const std::string_view rest = text.substr(word.size());
    if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t' && rest.front() != '(' &&
        rest.front() != '{')
        return false;
    text = trim(rest);
    return true;
}

Result<void> nothingMore(std::string_view text) {
    if (trim(text).empty()) return {};
    return fail(Errc::usage, fmt::format("extra characters after the closing brace: '{}' (';' "
                                         "goes between commands)",
                                         printable(trim(text))));
}

/// Text files that `.foreach /f` reads are no longer than this, in bytes.
constexpr std::uint64_t longestTokens = 16U << 20U;

Result<std::string> fileText(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Errc::io, "cannot be read", path);
    std::string text(longestTokens, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

std::string_view unquoted(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    return text;
}

}  // namespace

bool Interpreter::executeControl(std::string_view word, std::string_view arguments, int depth) {
    if (equalsIgnoreCase(word, ".if")) return executeIf(arguments, depth);
    if (equalsIgnoreCase(word, ".foreach")) return executeForEach(arguments, depth);
    if (equalsIgnoreCase(word, ".for")) return executeFor(arguments, depth);
    if (equalsIgnoreCase(word, ".while")) return executeWhile(arguments, depth);
    const auto body = takeBracketed(arguments, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(arguments); !more) return report(more);
    return executeLine(*body, depth + 1);
}

bool Interpreter::executeIf(std::string_view text, int depth) {
    bool done = false, good = true;
    while (true) {
        const auto condition = takeBracketed(text, '(', ')');
        if (!condition) return report(std::unexpected(condition.error()));
        const auto body = takeBracketed(text, '{', '}');
        if (!body) return report(std::unexpected(body.error()));
        if (!done) {
            const auto value = evaluate(*condition, session_);
            if (!value) return report(std::unexpected(value.error()));
            if (*value != 0) {
                done = true;
                good = executeLine(*body, depth + 1);
            }
        }
        if (takeKeyword(text, ".elsif")) continue;
        if (!takeKeyword(text, ".else")) break;
        const auto otherwise = takeBracketed(text, '{', '}');
        if (!otherwise) return report(std::unexpected(otherwise.error()));
        if (!done) good = executeLine(*otherwise, depth + 1);
        break;
    }
    const auto more = nothingMore(text);
    return (more || report(more)) && good;
}

bool Interpreter::loop(std::string_view condition, std::string_view body, std::string_view step,
                       int depth) {
    bool good = true;
    while (!stopped()) {
        // Every turn counts, so that a loop over nothing ends, too.
        if (--commandsLeft_ == 0)
            return report(fail(Errc::limit, "the loop runs without end: stopped"));
        if (!trim(condition).empty()) {
            const auto value = evaluate(condition, session_);
            if (!value) return report(std::unexpected(value.error()));
            if (*value == 0) break;
        }
        good = executeLine(body, depth + 1) && good;
        if (leaving_ == Leaving::loop) break;
        leaving_ = Leaving::nothing;
        if (!trim(step).empty()) good = executeLine(step, depth + 1) && good;
    }
    leaving_ = Leaving::nothing;
    return good;
}

bool Interpreter::executeFor(std::string_view text, int depth) {
    const auto head = takeBracketed(text, '(', ')');
    if (!head) return report(std::unexpected(head.error()));
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    const std::vector<std::string_view> parts = split(*head, ';');
    if (parts.size() != 3)
        return report(fail(Errc::usage, ".for (COMMANDS; CONDITION; COMMANDS) { COMMANDS }"));
    if (!trim(parts[0]).empty() && !executeLine(parts[0], depth + 1)) return false;
    return loop(parts[1], *body, parts[2], depth);
}

bool Interpreter::executeWhile(std::string_view text, int depth) {
    const auto condition = takeBracketed(text, '(', ')');
    if (!condition) return report(std::unexpected(condition.error()));
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    return loop(*condition, *body, "", depth);
}

/// `.foreach [/pS N] [/ps N] (NAME {COMMANDS}) {COMMANDS}`, `/s (NAME "TEXT")`, `/f (NAME "FILE")`.
bool Interpreter::executeForEach(std::string_view text, int depth) {
    constexpr const char* usage =
        ".foreach [/pS SKIP] [/ps SKIP] (NAME { COMMANDS }) { COMMANDS }, /s (NAME \"TEXT\"), "
        "/f (NAME \"FILE\")";
    std::uint64_t first = 0, between = 0;
    bool fromText = false, fromFile = false;
    text = trim(text);
    while (text.starts_with('/')) {
        const std::size_t end = std::min(text.find_first_of(" \t("), text.size());
        const std::string_view option = text.substr(0, end);
        text = trim(text.substr(end));
        if (option == "/s") {
            fromText = true;
        } else if (option == "/f") {
            fromFile = true;
        } else if (option == "/pS" || option == "/ps") {
            const std::size_t blank = std::min(text.find_first_of(" \t("), text.size());
            const auto count = evaluate(text.substr(0, blank), session_);
            if (!count) return report(std::unexpected(count.error()));
            (option == "/pS" ? first : between) = *count;
            text = trim(text.substr(blank));
        } else {
            return report(fail(Errc::usage, usage));
        }
    }
    auto head = takeBracketed(text, '(', ')');
    if (!head) return report(fail(Errc::usage, usage));
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    std::string_view source = trim(*head);
    const std::size_t nameEnd = std::min(source.find_first_of(" \t{\""), source.size());
    const std::string name(source.substr(0, nameEnd));
    source = trim(source.substr(nameEnd));
    if (name.empty()) return report(fail(Errc::usage, usage));

    std::string tokens;
    bool good = true;
    if (fromText) {
        tokens = std::string(unquoted(source));
    } else if (fromFile) {
        auto whole = fileText(std::string(unquoted(source)));
        if (!whole) return report(std::unexpected(whole.error()));
        tokens = std::move(*whole);
    } else {
        const auto commands = takeBracketed(source, '{', '}');
        if (!commands) return report(fail(Errc::usage, usage));
        TextOutput caught;
        Output* before = out_.redirect(&caught);
        good = executeLine(*commands, depth + 1);
        out_.redirect(before);
        tokens = caught.take();
    }
    std::string flat = tokens;
    for (char& c : flat) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    std::uint64_t skip = first;
    for (const std::string_view token : splitBlanks(flat)) {
        if (stopped()) break;
        if (skip > 0) {
            --skip;
            continue;
        }
        skip = between;
        good = executeLine(putAliases({{name, std::string(token)}}, *body), depth + 1) && good;
        if (leaving_ == Leaving::loop) break;
        leaving_ = Leaving::nothing;
    }
    leaving_ = Leaving::nothing;
    return good;
}

}  // namespace icecore::debugger
