#include "symbols/msvc_name.h"

#include <algorithm>

#include "symbols/msvc_decoder.h"

namespace icecore {

std::string msvcName(std::string_view mangled) {
    constexpr std::size_t longest = 8192;
    // Constants that are texts: what follows is a checksum and the text's beginning.
    if (mangled.starts_with("??_C@_")) return "`string'";
    if (!mangled.starts_with('?') || mangled.size() > longest) return std::string(mangled);
    return msvc::Decoder(mangled).run().value_or(std::string(mangled));
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
