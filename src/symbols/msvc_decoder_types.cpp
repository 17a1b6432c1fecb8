// The types in mangled names: of parameters, of template arguments.
#include <algorithm>
#include <cstdlib>

#include "symbols/msvc_codes.h"
#include "symbols/msvc_decoder.h"

namespace icecore::msvc {

void Decoder::qualifiers() {
    while (peek() == 'E' || peek() == 'F' || peek() == 'I' || peek() == 'G' || peek() == 'H')
        rest_.remove_prefix(1);
    if (!rest_.empty()) rest_.remove_prefix(1);
}

std::string Decoder::functionType() {
    if (rest_.empty()) return fail();
    rest_.remove_prefix(1);  // calling convention
    std::string result;
    if (!take("@")) {
        if (take("?")) qualifiers();
        result = type();
    }
    std::string parameters;
    if (take("X")) {
        parameters = "void";
    } else {
        parameters = typeList('@', false);
    }
    if (!take("Z")) (void)take("_E");  // noexcept
    return checked(result + " (" + parameters + ")");
}

std::string Decoder::typeList(char end, bool isTemplate) {
    if (++depth_ > deepest) return fail();
    std::string list;
    while (!bad_ && peek() != end) {
        if (rest_.empty()) return fail();
        if (!isTemplate && peek() == 'Z') {  // "..."
            if (!list.empty()) list += ',';
            list += "...";
            --depth_;
            return list;
        }
        std::string item;
        if (isTemplate && (take("$$V") || take("$$Z") || take("$S"))) continue;
        const std::size_t before = rest_.size();
        if (isDigit(peek()) && !isTemplate) {
            item = backReference(types_);
        } else if (isTemplate && isDigit(peek())) {
            item = backReference(types_);
        } else {
            item = isTemplate ? templateArgument() : type();
            constexpr std::size_t most = 10;
            if (before - rest_.size() > 1 && types_.size() < most) types_.push_back(item);
        }
        if (!list.empty()) list += ',';
        list = checked(std::move(list += item));
    }
    rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
    --depth_;
    return list;
}

std::string Decoder::templateArgument() {
    if (take("$0")) return number();
    if (take("$M")) {  // a value of a deduced type
        (void)type();
        return templateArgument();
    }
    const bool address = take("$1");
    if (address || take("$E")) {
        if (!take("?")) return take("@") ? "0" : fail();
        std::string name = qualifiedName();
        if (!bad_) functionEnd();
        return (address ? "&" : "") + name;
    }
    if (take("$$Y")) return fullName();
    return type();
}

std::string Decoder::pointee(std::string_view mark, bool constPointer) {
    std::string tail(mark);
    if (constPointer) tail += " const";
    if (take("6")) {  // to a function
        const std::string function = functionType();
        const std::size_t split = function.find(" (");
        if (bad_ || split == std::string::npos) return fail();
        return function.substr(0, split) + " (" + std::string(mark) + ")" +
               function.substr(split + 1);
    }
    if (take("8")) {  // to a member function
        const std::string scope = fullName();
        qualifiers();
        const std::string function = functionType();
        const std::size_t split = function.find(" (");
        if (bad_ || split == std::string::npos) return fail();
        return function.substr(0, split) + " (" + scope + "::" + std::string(mark) + ")" +
               function.substr(split + 1);
    }
    while (peek() == 'E' || peek() == 'F' || peek() == 'I')
        rest_.remove_prefix(1);
    std::string cv;
    switch (peek()) {
    case 'A': break;
    case 'B': cv = "const "; break;
    case 'C': cv = "volatile "; break;
    case 'D': cv = "const volatile "; break;
    case 'Q':
    case 'R':
    case 'S':
    case 'T': {  // to a data member
        rest_.remove_prefix(1);
        const std::string scope = fullName();
        return type() + " " + scope + "::" + tail;
    }
    default: return fail();
    }
    rest_.remove_prefix(1);
    const std::string target = type();
    return checked(cv + target + (target.ends_with('*') ? "" : " ") + tail);
}

std::string Decoder::type() {
    if (++depth_ > deepest) return fail();
    std::string text = typeBody();
    --depth_;
    return text;
}

std::string Decoder::typeBody() {
    if (take("?")) {  // cv-qualified value
        const char cv = peek();
        if (!rest_.empty()) rest_.remove_prefix(1);
        return (cv == 'B' ? "const " : cv == 'C' ? "volatile " : "") + type();
    }
    if (take("P")) return pointee("*", false);
    if (take("Q")) return pointee("*", true);
    if (take("R") || take("S")) return pointee("*", false);
    if (take("$$Q")) return pointee("&&", false);
    if (take("A") || take("B")) return pointee("&", false);
    if (take("$$C")) {
        const char cv = peek();
        if (!rest_.empty()) rest_.remove_prefix(1);
        return (cv == 'B' ? "const " : cv == 'C' ? "volatile " : "") + type();
    }
    if (take("$$A6")) return functionType();
    if (take("$$A8")) {
        (void)fullName();
        qualifiers();
        return functionType();
    }
    if (take("$$B")) return type();
    if (take("T") || take("U") || take("V")) return fullName();
    if (take("W")) {
        if (!rest_.empty()) rest_.remove_prefix(1);  // the size of an enumeration
        return fullName();
    }
    if (take("Y")) {  // an array
        const std::string dimensions = number();
        std::string sizes;
        for (int i = 0; i < std::min(deepest, std::atoi(dimensions.c_str())); ++i)
            sizes += "[" + number() + "]";
        return checked(type() + " " + sizes);
    }
    for (const Code& code : builtIns) {
        if (take(code.code)) return std::string(code.text);
    }
    return fail();
}

}  // namespace icecore::msvc
