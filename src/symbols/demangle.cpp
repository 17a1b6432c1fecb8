#include "symbols/demangle.h"

#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"

namespace icecore {

namespace {

/// Longer names than this come only from damage, and would cost the demangler its stack.
constexpr std::size_t longestName = 1U << 16;

bool isHashSegment(std::string_view text) {
    if (text.size() != 17 || text[0] != 'h') return false;
    for (const char c : text.substr(1)) {
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
}

/// Rust's legacy mangling (rustc_codegen_utils::symbol_names::legacy) is Itanium's with a hash as
/// the last part and punctuation spelt between dollars.
std::string unescapeRust(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> escapes = {{
        {"$SP$", "@"},
        {"$BP$", "*"},
        {"$RF$", "&"},
        {"$LT$", "<"},
        {"$GT$", ">"},
        {"$LP$", "("},
        {"$RP$", ")"},
        {"$C$", ","},
    }};
    std::string out;
    while (!text.empty()) {
        if (text.starts_with("..")) {
            out += "::";
            text.remove_prefix(2);
            continue;
        }
        if (text.starts_with("_$")) {  // stands in front of an escape at the start of a part
            text.remove_prefix(1);
            continue;
        }
        if (text.starts_with("$u")) {
            const std::size_t end = text.find('$', 2);
            const auto code =
                end == std::string_view::npos ? std::nullopt : parseHex(text.substr(2, end - 2));
            if (code && *code >= 0x20 && *code < 0x7f) {
                out += static_cast<char>(*code);
                text.remove_prefix(end + 1);
                continue;
            }
        }
        bool replaced = false;
        for (const auto& [from, to] : escapes) {
            if (!text.starts_with(from)) continue;
            out += to;
            text.remove_prefix(from.size());
            replaced = true;
            break;
        }
        if (replaced) continue;
        out += text.front();
        text.remove_prefix(1);
    }
    return out;
}

/// Position of the bracket that `close` (the last character of `text`) closes, or npos.
std::size_t matchingOpen(std::string_view text) {
    int depth = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
        if (text[i] == ')') ++depth;
        if (text[i] == '(' && --depth == 0) return i;
    }
    return std::string_view::npos;
}

bool isIdentifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$';
}

/// Drops the return type that template functions carry in front of their name.
std::string_view withoutReturnType(std::string_view name) {
    int depth = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
        if (c == '>' || c == ')' || c == '}' || c == ']') --depth;
        if (depth != 0) continue;
        // Behind "operator" blanks and brackets belong to the name.
        const bool tokenStart = i == 0 || !isIdentifier(name[i - 1]);
        if (tokenStart && name.substr(i).starts_with("operator") &&
            (i + 8 >= name.size() || !isIdentifier(name[i + 8])))
            break;
        if (c == ' ') start = i + 1;
    }
    return name.substr(start);
}

/// The C++ runtime's own demangler, or nothing where there is none (MSVC) or the name is no C++.
std::optional<std::string> demangleItanium(const std::string& symbol) {
#if __has_include(<cxxabi.h>)
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    if (status == 0 && text != nullptr) return std::string(text.get());
#endif
    return std::nullopt;
}

}  // namespace

std::string demangle(std::string_view symbol) {
    if (const std::size_t at = symbol.find('@');
        at != std::string_view::npos && at > 0 && symbol.substr(at) != "@plt") {
        symbol = symbol.substr(0, at);
    }
    std::string_view suffix;
    if (symbol.ends_with("@plt")) {
        suffix = "@plt";
        symbol.remove_suffix(suffix.size());
    }
    const std::string whole(symbol);
    // "_Z" Itanium; "___Z" blocks; anything else would be taken for a type ("i" for "int").
    if (!(symbol.starts_with("_Z") || symbol.starts_with("___Z")) || symbol.size() > longestName)
        return whole + std::string(suffix);
    auto readable = demangleItanium(whole);
    if (!readable) return whole + std::string(suffix);
    std::string result = std::move(*readable);
    const std::size_t last = result.rfind("::");
    if (last != std::string::npos && isHashSegment(std::string_view(result).substr(last + 2)))
        result = unescapeRust(std::string_view(result).substr(0, last));
    return result.append(suffix);
}

std::string withoutParameters(std::string_view demangled) {
    std::string_view name = demangled;
    // Clones made by the compiler: "[clone .part.0]".
    std::string_view clone;
    if (const std::size_t at = name.find(" [clone "); at != std::string_view::npos) {
        clone = name.substr(at);
        name = name.substr(0, at);
    }
    std::string_view plt;
    if (name.ends_with("@plt")) {
        plt = "@plt";
        name.remove_suffix(plt.size());
    }
    // "non-virtual thunk to A::f(int)", "guard variable for …": the words stay.
    std::string_view prefix;
    for (const std::string_view words :
         {" thunk to ", "guard variable for ", "TLS init function for ",
          "TLS wrapper function for ", "reference temporary #"}) {
        const std::size_t at = name.find(words);
        if (at == std::string_view::npos || name.substr(0, at).find('(') != std::string_view::npos)
            continue;
        prefix = name.substr(0, at + words.size());
        name = name.substr(prefix.size());
        break;
    }
    bool again = true;
    while (again) {
        again = false;
        for (const std::string_view qualifier :
             {" const", " volatile", " &", " &&", " noexcept", " restrict"}) {
            if (!name.ends_with(qualifier)) continue;
            name.remove_suffix(qualifier.size());
            again = true;
        }
    }
    if (!name.ends_with(')')) return std::string(demangled);
    const std::size_t open = matchingOpen(name);
    // "(anonymous namespace)" is a scope, and "operator()" a name, not parameters.
    if (open == std::string_view::npos || open == 0 ||
        name.substr(open) == "(anonymous namespace)" || name.substr(0, open).ends_with("operator"))
        return std::string(demangled);
    name = withoutReturnType(name.substr(0, open));
    if (name.empty()) return std::string(demangled);
    return std::string(prefix).append(name).append(plt).append(clone);
}

std::string functionName(std::string_view symbol) {
    std::string readable = demangle(symbol);
    if (readable == symbol) return readable;
    std::string name = withoutParameters(readable);
    // "[abi:cxx11]" tells the linker something, and people nothing.
    for (std::size_t at = 0; (at = name.find("[abi:", at)) != std::string::npos;) {
        const std::size_t end = name.find(']', at);
        if (end == std::string::npos) break;
        name.erase(at, end + 1 - at);
    }
    return name;
}

}  // namespace icecore
