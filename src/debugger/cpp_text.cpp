#include "debugger/cpp_text.h"

#include <fmt/format.h>

#include <cctype>

#include "base/text.h"
#include "debugger/named_type.h"

namespace icecore::debugger {

namespace {

constexpr unsigned mostPointers = 8;

bool isNameStart(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}
bool isNamePart(char c) {
    return isNameStart(c) || (c >= '0' && c <= '9');
}

}  // namespace

void CppText::skipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
        ++at_;
}

bool CppText::take(std::string_view what) {
    skipBlanks();
    if (!here().starts_with(what)) return false;
    at_ += what.size();
    return true;
}

bool CppText::atName() const {
    return isNameStart(peek());
}

std::string_view CppText::takeWord() {
    const std::size_t begin = at_;
    while (isNamePart(peek()))
        ++at_;
    return text_.substr(begin, at_ - begin);
}

std::string CppText::takeName() {
    const std::size_t begin = at_;
    const auto plain = [&] {
        while (isNamePart(peek()) || (peek() == ':' && peek(1) == ':') || peek() == '~')
            at_ += peek() == ':' ? 2 : 1;
    };
    // "module!": names of modules hold more than others.
    std::size_t bang = at_;
    while (bang < text_.size() && (isNamePart(text_[bang]) || text_[bang] == '.' ||
                                   text_[bang] == '-' || text_[bang] == '+'))
        ++bang;
    if (bang > at_ && bang + 1 < text_.size() && text_[bang] == '!' && text_[bang + 1] != '=' &&
        session_.isModule(text_.substr(at_, bang - at_)))
        at_ = bang + 1;
    plain();
    while (peek() == '<') {
        const std::size_t kept = at_;
        int open = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            open += c == '<' ? 1 : c == '>' ? -1 : 0;
            if (open == 0) break;
        }
        plain();
        if (open != 0 || !findNamedType(session_, text_.substr(begin, at_ - begin))) {
            at_ = kept;
            break;
        }
    }
    return std::string(text_.substr(begin, at_ - begin));
}

std::optional<std::string_view> CppText::takeToClosing() {
    const std::size_t begin = at_;
    int open = 1;
    while (at_ < text_.size() && open > 0) {
        open += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
        ++at_;
    }
    if (open > 0) return std::nullopt;
    return text_.substr(begin, at_ - 1 - begin);
}

std::optional<CppType> CppText::takeType() {
    skipBlanks();
    CppType type;
    std::string words;
    while (true) {
        skipBlanks();
        const std::size_t before = at_;
        const std::string_view word = takeWord();
        if (word == "const" || word == "volatile" || word == "struct" || word == "class" ||
            word == "union" || word == "enum")
            continue;
        const std::string more =
            words.empty() ? std::string(word) : fmt::format("{} {}", words, word);
        if (word.empty() || !arithmeticNamed(more)) {
            at_ = before;
            break;
        }
        words = more;
    }
    if (!words.empty()) {
        type.own = *arithmeticNamed(words);
    } else {
        const std::string name = takeName();
        if (name.empty()) return std::nullopt;
        const auto found = findNamedType(session_, name);
        if (!found || found->variable) return std::nullopt;
        type.module = found->module;
        type.id = found->type;
    }
    while (type.pointers < mostPointers && take("*"))
        ++type.pointers;
    return type;
}

std::optional<CppType> CppText::takeCast() {
    const std::size_t begin = at_;
    ++at_;
    auto type = takeType();
    if (type && take(")")) return type;
    at_ = begin;
    return std::nullopt;
}

std::unexpected<Error> CppText::syntaxError() const {
    return fail(Errc::usage, here().empty()
                                 ? std::string("Syntax error at '<EOL>'")
                                 : fmt::format("Syntax error at '{}'", printable(here())));
}

}  // namespace icecore::debugger
