#include "symbols/msvc_decoder.h"

#include <algorithm>
#include <cstdint>

#include "symbols/msvc_codes.h"

namespace icecore::msvc {

std::optional<std::string> Decoder::run() {
    if (!take("?")) return std::nullopt;
    std::string name = qualifiedName();
    if (bad_ || name.empty()) return std::nullopt;
    return name;
}

std::string Decoder::identifier() {
    const std::size_t end = rest_.find('@');
    if (end == std::string_view::npos || end == 0) return fail();
    std::string name(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return name;
}

void Decoder::remember(const std::string& name) {
    constexpr std::size_t most = 10;
    if (names_.size() < most && std::ranges::find(names_, name) == names_.end())
        names_.push_back(name);
}

std::string Decoder::backReference(const std::vector<std::string>& list) {
    const auto index = static_cast<std::size_t>(peek() - '0');
    rest_.remove_prefix(1);
    return index < list.size() ? list[index] : fail();
}

std::string Decoder::number() {
    const bool negative = take("?");
    std::uint64_t value = 0;
    if (isDigit(peek())) {
        value = static_cast<std::uint64_t>(peek() - '0') + 1;
        rest_.remove_prefix(1);
    } else {
        while (peek() >= 'A' && peek() <= 'P') {
            value = value * 16 + static_cast<std::uint64_t>(peek() - 'A');
            rest_.remove_prefix(1);
        }
        if (!take("@")) return fail();
    }
    return (negative ? "-" : "") + std::to_string(value);
}

std::string Decoder::templateName() {
    std::vector<std::string> outer, outerTypes;
    outer.swap(names_);
    outerTypes.swap(types_);
    std::string name;
    if (peek() == '?' && rest_.size() > 1) {
        take("?");
        name = special();
    } else {
        name = identifier();
        remember(name);
    }
    const std::string arguments = typeList('@', true);
    names_.swap(outer);
    types_.swap(outerTypes);
    if (bad_) return {};
    return checked(name + "<" + arguments + (arguments.ends_with('>') ? " >" : ">"));
}

std::string Decoder::special() {
    if (take("B")) return "operator ";  // a conversion: its type is the function's result
    if (take("__K")) return "operator \"\" " + identifier();
    if (take("__E")) return "`dynamic initializer for '";
    if (take("__F")) return "`dynamic atexit destructor for '";
    if (take("_R0")) return fail();  // a type descriptor
    const Code* best = nullptr;
    for (const Code& code : specials) {
        if (rest_.starts_with(code.code) && (!best || code.code.size() > best->code.size()))
            best = &code;
    }
    if (best == nullptr) return fail();
    rest_.remove_prefix(best->code.size());
    return std::string(best->text);
}

std::string Decoder::scopePart() {
    if (isDigit(peek())) return backReference(names_);
    if (take("?$")) {
        std::string name = templateName();
        remember(name);
        return name;
    }
    if (take("?A")) {
        std::string name = "`anonymous namespace'";
        const std::size_t end = rest_.find('@');
        if (end == std::string_view::npos) return fail();
        remember("`anonymous namespace'");
        rest_.remove_prefix(end + 1);
        return name;
    }
    if (peek() == '?') {
        take("?");
        if (take("?")) {  // a function that encloses this, mangled
            rest_ = std::string_view(rest_.data() - 1, rest_.size() + 1);
            return enclosing();
        }
        return "`" + number() + "'";
    }
    std::string name = identifier();
    remember(name);
    return name;
}

std::string Decoder::enclosing() {
    if (++depth_ > deepest) return fail();
    take("?");
    std::string name = qualifiedName();
    if (!bad_) functionEnd();
    --depth_;
    return "`" + name + "'";
}

void Decoder::functionEnd() {
    if (isDigit(peek())) {  // a variable: its type, its storage
        rest_.remove_prefix(1);
        (void)type();
        rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
        return;
    }
    const char access = peek();
    if (access < 'A' || access > 'Z') {
        (void)fail();
        return;
    }
    rest_.remove_prefix(1);
    // Members that are not static have the qualifiers of `this`.
    const int kind = (access - 'A') % 8;
    if (access < 'Y' && kind != 2 && kind != 3) {
        if (kind == 6 || kind == 7) (void)number();  // a thunk's adjustment
        qualifiers();
    }
    functionType();
}

std::string Decoder::fullName() {
    if (++depth_ > deepest) return fail();
    std::vector<std::string> parts;
    while (!bad_ && !take("@")) {
        if (rest_.empty()) return fail();
        parts.push_back(scopePart());
    }
    --depth_;
    std::string name;
    for (std::size_t i = parts.size(); i-- > 0;)
        name += parts[i] + (i == 0 ? "" : "::");
    return checked(name);
}

std::string Decoder::qualifiedName() {
    if (++depth_ > deepest) return fail();
    std::string own;
    bool isConversion = false;
    if (take("?$")) {
        own = templateName();
        remember(own);
    } else if (peek() == '?') {
        take("?");
        own = special();
        isConversion = own == "operator ";
        if (own.starts_with("`dynamic")) {
            // The variable's own mangled name follows.
            std::string of = take("?") ? qualifiedName() : identifier();
            --depth_;
            return checked(own + of + "''");
        }
    } else if (isDigit(peek())) {
        own = backReference(names_);
    } else {
        own = identifier();
        remember(own);
    }
    const std::string scope = bad_ ? std::string() : fullName();
    --depth_;
    if (bad_) return {};
    if (isConversion) {
        // "?B…@@QEBA" convention type: behind access and qualifiers.
        std::string_view saved = rest_;
        rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
        qualifiers();
        if (!rest_.empty()) rest_.remove_prefix(1);
        const std::string result = take("?") ? (qualifiers(), type()) : type();
        if (bad_) return {};
        rest_ = saved;
        own += result;
    }
    const std::size_t mark = own.find('%');
    if (mark != std::string::npos && (own == "%" || own == "~%")) {
        own.replace(mark, 1, lastPart(scope));
    }
    return checked(scope.empty() ? own : scope + "::" + own);
}

std::string Decoder::lastPart(const std::string& scope) {
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i + 1 < scope.size(); ++i) {
        if (scope[i] == '<' || scope[i] == '`') ++depth;
        if (scope[i] == '>' || scope[i] == '\'') --depth;
        if (depth == 0 && scope[i] == ':' && scope[i + 1] == ':') begin = i + 2;
    }
    return scope.substr(begin);
}

}  // namespace icecore::msvc
