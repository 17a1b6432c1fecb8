#include "symbols/msvc_name.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace icecore {

namespace {

struct Code {
    std::string_view code, text;
};

/// Operators and what the compiler makes itself. "%" is the class' own name.
constexpr std::array<Code, 70> specials = {{
    {"0", "%"},
    {"1", "~%"},
    {"2", "operator new"},
    {"3", "operator delete"},
    {"4", "operator="},
    {"5", "operator>>"},
    {"6", "operator<<"},
    {"7", "operator!"},
    {"8", "operator=="},
    {"9", "operator!="},
    {"A", "operator[]"},
    {"C", "operator->"},
    {"D", "operator*"},
    {"E", "operator++"},
    {"F", "operator--"},
    {"G", "operator-"},
    {"H", "operator+"},
    {"I", "operator&"},
    {"J", "operator->*"},
    {"K", "operator/"},
    {"L", "operator%"},
    {"M", "operator<"},
    {"N", "operator<="},
    {"O", "operator>"},
    {"P", "operator>="},
    {"Q", "operator,"},
    {"R", "operator()"},
    {"S", "operator~"},
    {"T", "operator^"},
    {"U", "operator|"},
    {"V", "operator&&"},
    {"W", "operator||"},
    {"X", "operator*="},
    {"Y", "operator+="},
    {"Z", "operator-="},
    {"_0", "operator/="},
    {"_1", "operator%="},
    {"_2", "operator>>="},
    {"_3", "operator<<="},
    {"_4", "operator&="},
    {"_5", "operator|="},
    {"_6", "operator^="},
    {"_7", "`vftable'"},
    {"_8", "`vbtable'"},
    {"_9", "`vcall'"},
    {"_A", "`typeof'"},
    {"_B", "`local static guard'"},
    {"_D", "`vbase destructor'"},
    {"_E", "`vector deleting destructor'"},
    {"_F", "`default constructor closure'"},
    {"_G", "`scalar deleting destructor'"},
    {"_H", "`vector constructor iterator'"},
    {"_I", "`vector destructor iterator'"},
    {"_J", "`vector vbase constructor iterator'"},
    {"_K", "`virtual displacement map'"},
    {"_L", "`eh vector constructor iterator'"},
    {"_M", "`eh vector destructor iterator'"},
    {"_N", "`eh vector vbase constructor iterator'"},
    {"_O", "`copy constructor closure'"},
    {"_S", "`local vftable'"},
    {"_T", "`local vftable constructor closure'"},
    {"_U", "operator new[]"},
    {"_V", "operator delete[]"},
    {"_X", "`placement delete closure'"},
    {"_Y", "`placement delete[] closure'"},
    {"__L", "operator co_await"},
    {"__M", "operator<=>"},
    {"_R4", "`RTTI Complete Object Locator'"},
    {"_R2", "`RTTI Base Class Array'"},
    {"_R3", "`RTTI Class Hierarchy Descriptor'"},
}};

constexpr std::array<Code, 29> builtIns = {{
    {"X", "void"},
    {"C", "signed char"},
    {"D", "char"},
    {"E", "unsigned char"},
    {"F", "short"},
    {"G", "unsigned short"},
    {"H", "int"},
    {"I", "unsigned int"},
    {"J", "long"},
    {"K", "unsigned long"},
    {"M", "float"},
    {"N", "double"},
    {"O", "long double"},
    {"_D", "__int8"},
    {"_E", "unsigned __int8"},
    {"_F", "__int16"},
    {"_G", "unsigned __int16"},
    {"_H", "__int32"},
    {"_I", "unsigned __int32"},
    {"_J", "__int64"},
    {"_K", "unsigned __int64"},
    {"_L", "__int128"},
    {"_M", "unsigned __int128"},
    {"_N", "bool"},
    {"_Q", "char8_t"},
    {"_S", "char16_t"},
    {"_U", "char32_t"},
    {"_W", "wchar_t"},
    {"$$T", "std::nullptr_t"},
}};

/// Reads a mangled name front to back. Any contradiction sets `bad_`, and nothing is believed.
class Decoder {
public:
    explicit Decoder(std::string_view text) : rest_(text) {}

    std::optional<std::string> run() {
        if (!take("?")) return std::nullopt;
        std::string name = qualifiedName();
        if (bad_ || name.empty()) return std::nullopt;
        return name;
    }

private:
    static constexpr int deepest = 64;
    static constexpr std::size_t longest = 16U << 10;

    bool take(std::string_view prefix) {
        if (!rest_.starts_with(prefix)) return false;
        rest_.remove_prefix(prefix.size());
        return true;
    }
    [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    std::string fail() {
        bad_ = true;
        rest_ = {};
        return {};
    }
    /// Back-references can double a name at every step: what it may come to is bounded.
    std::string checked(std::string text) {
        return text.size() > longest ? fail() : std::move(text);
    }

    std::string identifier() {
        const std::size_t end = rest_.find('@');
        if (end == std::string_view::npos || end == 0) return fail();
        std::string name(rest_.substr(0, end));
        rest_.remove_prefix(end + 1);
        return name;
    }
    void remember(const std::string& name) {
        constexpr std::size_t most = 10;
        if (names_.size() < most && std::ranges::find(names_, name) == names_.end())
            names_.push_back(name);
    }
    std::string backReference(const std::vector<std::string>& list) {
        const auto index = static_cast<std::size_t>(peek() - '0');
        rest_.remove_prefix(1);
        return index < list.size() ? list[index] : fail();
    }
    static bool isDigit(char c) { return c >= '0' && c <= '9'; }

    /// Digits stand for 1 to 10, anything else is hexadecimal with the letters A to P.
    std::string number() {
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

    /// "?$name@arguments@", behind the "?$". Names inside are counted on their own.
    std::string templateName() {
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

    std::string special() {
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

    /// One part of a scope, or nothing at the closing '@'.
    std::string scopePart() {
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

    std::string enclosing() {
        if (++depth_ > deepest) return fail();
        take("?");
        std::string name = qualifiedName();
        if (!bad_) functionEnd();
        --depth_;
        return "`" + name + "'";
    }

    /// The rest of a function's mangling, up to the '@' or 'Z' that ends it: read for its length.
    void functionEnd() {
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

    void qualifiers() {
        while (peek() == 'E' || peek() == 'F' || peek() == 'I' || peek() == 'G' || peek() == 'H')
            rest_.remove_prefix(1);
        if (!rest_.empty()) rest_.remove_prefix(1);
    }

    std::string functionType() {
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

    /// Types up to `end`, separated by commas.
    std::string typeList(char end, bool isTemplate) {
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

    std::string templateArgument() {
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

    std::string fullName() {
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

    std::string pointee(std::string_view mark, bool constPointer) {
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

    std::string type() {
        if (++depth_ > deepest) return fail();
        std::string text = typeBody();
        --depth_;
        return text;
    }

    std::string typeBody() {
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

    std::string qualifiedName() {
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

    /// "List" of "ns::List<int>".
    static std::string lastPart(const std::string& scope) {
        int depth = 0;
        std::size_t begin = 0;
        for (std::size_t i = 0; i + 1 < scope.size(); ++i) {
            if (scope[i] == '<' || scope[i] == '`') ++depth;
            if (scope[i] == '>' || scope[i] == '\'') --depth;
            if (depth == 0 && scope[i] == ':' && scope[i + 1] == ':') begin = i + 2;
        }
        return scope.substr(begin);
    }

    std::string_view rest_;
    std::vector<std::string> names_, types_;
    int depth_ = 0;
    bool bad_ = false;
};

}  // namespace

std::string msvcName(std::string_view mangled) {
    constexpr std::size_t longest = 8192;
    if (!mangled.starts_with('?') || mangled.size() > longest) return std::string(mangled);
    return Decoder(mangled).run().value_or(std::string(mangled));
}

std::string withoutX86Decoration(std::string_view symbol) {
    const std::size_t at = symbol.rfind('@');
    const auto isNumber = [](std::string_view text) {
        return !text.empty() &&
               std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    };
    std::string_view name = symbol;
    if (at != std::string_view::npos && at != 0 && isNumber(symbol.substr(at + 1))) {
        name = symbol.substr(0, at);
        if (name.ends_with('@'))
            name.remove_suffix(1);  // __vectorcall
        else if (name.starts_with('@'))
            name.remove_prefix(1);  // __fastcall
        else if (name.starts_with('_'))
            name.remove_prefix(1);  // __stdcall
        return std::string(name.empty() ? symbol : name);
    }
    if (name.size() > 1 && name.starts_with('_')) name.remove_prefix(1);
    return std::string(name);
}

}  // namespace icecore
