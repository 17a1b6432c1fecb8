#include "debugger/command_cutter.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "debugger/command.h"

namespace icecore::debugger {

namespace {

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

/// The same behind a control word: what stands in brackets stays together. Where they do not match
/// nothing does.
std::size_t controlLength(std::string_view text) {
    bool quoted = false;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '{' || c == '(') ++depth;
        if ((c == '}' || c == ')') && depth > 0) --depth;
        if (c == ';' && depth == 0) return i;
    }
    return depth == 0 ? text.size() : commandLength(text);
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

/// How much of the line an alias takes: all of it, but `aS` and what is measured at once end at
/// ';'.
std::size_t aliasLength(std::string_view word, std::string_view text) {
    const std::string_view option = skipBlanks(text);
    constexpr std::array<std::string_view, 6> values = {"/e ",   "/ma ",  "/mu ",
                                                        "/msa ", "/msu ", "/x "};
    const bool measured =
        std::ranges::any_of(values, [&](std::string_view one) { return option.starts_with(one); });
    return word == "aS" || measured ? commandLength(text) : text.size();
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
    if (const std::string_view script = scriptWord(line); !script.empty()) {
        cut.word = script;
        line.remove_prefix(script.size());
        // `$<` and `$><` take the whole line.
        const std::size_t end = script.starts_with("$$") ? commandLength(line) : line.size();
        cut.arguments = trim(line.substr(0, end));
        line.remove_prefix(end);
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
            // `~*e` takes the whole rest of the line.
            const std::size_t end = cut.word == "e" ? line.size() : commandLength(line);
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
    const std::size_t end = equalsIgnoreCase(cut.word, "as") ? aliasLength(cut.word, line)
                            : whole                          ? line.size()
                            : isControlWord(cut.word)        ? controlLength(line)
                                                             : commandLength(line);
    cut.arguments = trim(line.substr(0, end));
    line.remove_prefix(end);
    return cut;
}

bool isControlWord(std::string_view word) {
    constexpr std::array<std::string_view, 7> words = {".if", ".foreach", ".for",  ".while",
                                                       ".do", ".block",   ".catch"};
    return std::ranges::any_of(words,
                               [&](std::string_view one) { return equalsIgnoreCase(one, word); });
}

std::string_view scriptWord(std::string_view line) {
    // The longest first.
    constexpr std::array<std::string_view, 5> words = {"$$>a<", "$$><", "$$<", "$><", "$<"};
    for (const std::string_view word : words) {
        if (line.starts_with(word)) return word;
    }
    return {};
}

Result<std::string_view> takeBracketed(std::string_view& text, char open, char close) {
    text = skipBlanks(text);
    if (!text.starts_with(open)) return fail(Errc::usage, std::string("expected '") + open + "'");
    bool quoted = false;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (quoted) continue;
        if (text[i] == open) ++depth;
        if (text[i] != close || --depth != 0) continue;
        const std::string_view inside = text.substr(1, i - 1);
        text = skipBlanks(text.substr(i + 1));
        return inside;
    }
    return fail(Errc::usage, std::string("'") + open + "' is not closed");
}

}  // namespace icecore::debugger
