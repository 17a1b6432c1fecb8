// .if, .foreach, .for, .while, .do, .block, .catch, j: commands in braces, run when and as often as
// they say.
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

/// What stands before the braces: brackets around it are usual, but not needed.
Result<std::string_view> takeCondition(std::string_view& text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (text[i] != '{' || quoted) continue;
        const std::string_view condition = trim(text.substr(0, i));
        text.remove_prefix(i);
        if (condition.empty()) return fail(Errc::usage, "the condition is missing");
        return condition;
    }
    return fail(Errc::usage, "expected '{'");
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
    if (equalsIgnoreCase(word, ".do")) return executeDo(arguments, depth);
    if (equalsIgnoreCase(word, ".catch")) return executeCatch(arguments, depth);
    const auto body = takeBracketed(arguments, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(arguments); !more) return report(more);
    return executeBlock(*body, depth);
}

bool Interpreter::executeIf(std::string_view text, int depth) {
    bool done = false, good = true;
    while (true) {
        const auto condition = takeCondition(text);
        if (!condition) return report(std::unexpected(condition.error()));
        const auto body = takeBracketed(text, '{', '}');
        if (!body) return report(std::unexpected(body.error()));
        if (!done) {
            const auto value = evaluate(*condition, session_);
            if (!value) return report(std::unexpected(value.error()));
            if (*value != 0) {
                done = true;
                good = executeBlock(*body, depth);
            }
        }
        if (takeKeyword(text, ".elsif")) continue;
        if (!takeKeyword(text, ".else")) break;
        const auto otherwise = takeBracketed(text, '{', '}');
        if (!otherwise) return report(std::unexpected(otherwise.error()));
        if (!done) good = executeBlock(*otherwise, depth);
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
        good = executeBlock(body, depth) && good;
        if (!nextTurn()) break;
        if (!trim(step).empty()) good = executeLine(step, depth + 1) && good;
    }
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
    const auto condition = takeCondition(text);
    if (!condition) return report(std::unexpected(condition.error()));
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    return loop(*condition, *body, "", depth);
}

bool Interpreter::executeDo(std::string_view text, int depth) {
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    const auto condition = takeBracketed(text, '(', ')');
    if (!condition) return report(std::unexpected(condition.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    const bool good = executeBlock(*body, depth);
    if (!nextTurn()) return good;
    return loop(*condition, *body, "", depth) && good;
}

/// `j CONDITION 'COMMANDS' ; 'COMMANDS'`; without quotes each is one command.
bool Interpreter::executeEither(std::string_view text, int depth) {
    const auto condition = evaluatePrefix(text, session_);
    if (!condition) return report(std::unexpected(condition.error()));
    text = trim(condition->rest);
    const auto take = [&] {
        const bool quoted = text.starts_with('\'');
        if (quoted) text.remove_prefix(1);
        const std::size_t end = std::min(text.find(quoted ? '\'' : ';'), text.size());
        const std::string_view commands = text.substr(0, end);
        text = trim(text.substr(std::min(end + (quoted ? 1 : 0), text.size())));
        return commands;
    };
    const std::string_view first = take();
    if (text.starts_with(';')) text = trim(text.substr(1));
    const std::string_view second = take();
    return executeLine(condition->value != 0 ? first : second, depth + 1);
}

bool Interpreter::executeCatch(std::string_view text, int depth) {
    const auto body = takeBracketed(text, '{', '}');
    if (!body) return report(std::unexpected(body.error()));
    if (const auto more = nothingMore(text); !more) return report(more);
    ++guards_;
    executeBlock(*body, depth);
    --guards_;
    if (leaving_ == Leaving::guarded) leaving_ = Leaving::nothing;
    return true;  // what failed was caught
}

bool Interpreter::nextTurn() {
    const bool goesOn = leaving_ == Leaving::nothing || leaving_ == Leaving::iteration;
    // An error in `.catch` is for the block around the loop.
    if (leaving_ != Leaving::guarded) leaving_ = Leaving::nothing;
    return goesOn;
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
        good = captureLine(*commands, depth, tokens);
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
        good = executeBlock(putAliases({{name, std::string(token)}}, *body), depth) && good;
        if (!nextTurn()) break;
    }
    return good;
}

}  // namespace icecore::debugger
