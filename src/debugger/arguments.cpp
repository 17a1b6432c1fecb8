#include "debugger/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/range.h"
#include "base/text.h"

namespace icecore::debugger {

namespace {

constexpr std::uint64_t guardedCount = 0x10000000;

struct WordCut {
    std::string_view word;
    std::size_t length;  ///< characters it takes, quotes included
};

WordCut cutWord(std::string_view text) {
    if (text.empty()) return {{}, 0};
    if (text.front() == '"') {
        const std::size_t close = text.find('"', 1);
        if (close == std::string_view::npos) return {text.substr(1), text.size()};
        return {text.substr(1, close - 1), close + 1};
    }
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    return {text.substr(0, end), end};
}

/// Whether `text` begins like "L10", "L?100", "l-8", "L@ecx", "L(4*2)" and not like a name.
bool beginsCount(std::string_view text) {
    if (text.size() < 2 || (text[0] != 'L' && text[0] != 'l')) return false;
    std::string_view count = text.substr(1);
    while (!count.empty() && (count.front() == '?' || count.front() == '-'))
        count.remove_prefix(1);
    if (count.empty()) return false;
    if (count.front() == '@' || count.front() == '(' || count.front() == ' ') return true;
    const auto end = std::ranges::find_if(count, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '`' && c != '_';
    });
    return parseMasmNumber(std::string_view(count.begin(), end), 16).has_value();
}

}  // namespace

Arguments::Arguments(std::string_view text, const ExpressionScope& scope)
    : rest_(trim(text)), scope_(&scope) {}

void Arguments::skip(std::size_t count) {
    rest_.remove_prefix(std::min(count, rest_.size()));
    rest_ = trim(rest_);
}

std::string_view Arguments::takeRest() {
    const std::string_view all = rest_;
    rest_ = {};
    return all;
}

std::string_view Arguments::takeWord() {
    const WordCut cut = cutWord(rest_);
    skip(cut.length);
    return cut.word;
}

std::string_view Arguments::peekWord() const {
    return cutWord(rest_).word;
}

bool Arguments::takeSwitch(char letter) {
    const std::string_view word = peekWord();
    if (word.size() != 2 || (word[0] != '/' && word[0] != '-') || word[1] != letter) return false;
    skip(2);
    return true;
}

bool Arguments::takeKeyword(std::string_view word) {
    if (!equalsIgnoreCase(peekWord(), word)) return false;
    takeWord();
    return true;
}

Result<std::uint64_t> Arguments::takeExpression() {
    ASSIGN_OR_RETURN(const Evaluated evaluated, evaluatePrefix(rest_, *scope_));
    rest_ = trim(evaluated.rest);
    return evaluated.value;
}

Result<ObjectRange> Arguments::takeRange(std::uint64_t unit) {
    ObjectRange range;
    ASSIGN_OR_RETURN(range.address, takeExpression());
    if (rest_.empty()) return range;
    if (beginsCount(rest_)) {
        skip(1);
        const bool unguarded = !rest_.empty() && rest_.front() == '?';
        if (unguarded) skip(1);
        const bool backwards = !rest_.empty() && rest_.front() == '-';
        if (backwards) skip(1);
        ASSIGN_OR_RETURN(const std::uint64_t count, takeExpression());
        if (count > guardedCount && !unguarded) {
            return fail(Errc::usage, fmt::format("Range error: {} objects; write L?{:x} if that "
                                                 "is what you mean",
                                                 count, count));
        }
        const auto bytes = checkedMultiply(count, unit);
        if (!bytes) return fail(Errc::usage, "Range error: more than the address space holds");
        if (backwards) range.address -= *bytes;
        range.count = count;
        return range;
    }
    // A last address, if an expression stands here; a pattern or an option is the caller's.
    if (rest_.front() == '"' || rest_.front() == '/') return range;
    ASSIGN_OR_RETURN(const std::uint64_t last, takeExpression());
    if (last < range.address) {
        return fail(Errc::usage, "Range error: the last address lies below the first");
    }
    range.count = (last - range.address) / unit + 1;
    if (*range.count > guardedCount) {
        return fail(Errc::usage, "Range error: more than 256 Mi objects; use L?COUNT");
    }
    return range;
}

Result<void> Arguments::finish() const {
    if (rest_.empty()) return {};
    return fail(Errc::usage, fmt::format("Extra character error in '{}'", rest_));
}

}  // namespace icecore::debugger
