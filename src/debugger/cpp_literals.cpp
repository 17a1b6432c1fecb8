#include "debugger/cpp_literals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/text.h"
#include "debugger/cpp_operators.h"

namespace icecore::debugger {

namespace {

bool isDecimal(char c) {
    return c >= '0' && c <= '9';
}

std::unexpected<Error> syntaxError(std::string_view text) {
    return fail(Errc::usage, fmt::format("Syntax error at '{}'", printable(text)));
}

/// Behind the digits of an integer: ".5e3", "f".
Result<Scalar> takeReal(std::string_view& text, std::size_t at) {
    const auto digits = [&] {
        while (at < text.size() && isDecimal(text[at]))
            ++at;
    };
    if (at < text.size() && text[at] == '.') {
        ++at;
        digits();
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
        digits();
    }
    const std::string number(text.substr(0, at));
    char* end = nullptr;
    Scalar out;
    out.type = Arithmetic::float64;
    out.real = std::strtod(number.c_str(), &end);
    if (end != number.c_str() + number.size()) return syntaxError(text);
    if (at < text.size() && (text[at] == 'f' || text[at] == 'F')) {
        ++at;
        out = converted(out, Arithmetic::float32);
    }
    text.remove_prefix(at);
    return out;
}

}  // namespace

Result<Scalar> takeNumber(std::string_view& text) {
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    std::size_t at = hexadecimal ? 2 : 0;
    const auto isDigit = [&](char c) {
        return isDecimal(c) || c == '`' ||
               (hexadecimal && std::isxdigit(static_cast<unsigned char>(c)) != 0);
    };
    while (at < text.size() && isDigit(text[at]))
        ++at;
    const char next = at < text.size() ? text[at] : '\0';
    if (!hexadecimal && (next == '.' || next == 'e' || next == 'E')) return takeReal(text, at);
    std::string digits(text.substr(0, at));
    std::erase(digits, '`');
    const bool octal = !hexadecimal && digits.size() > 1 && digits.front() == '0';
    const auto value = parseMasmNumber(digits, octal ? 8 : 10);
    bool withoutSign = false, wide = false;
    for (; at < text.size(); ++at) {
        const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(text[at])));
        if (c != 'u' && c != 'l') break;
        withoutSign |= c == 'u';
        wide |= c == 'l';
    }
    const bool runsOn =
        at < text.size() &&
        (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
    if (!value || runsOn) return syntaxError(text);
    const std::uint64_t narrow = withoutSign ? UINT32_MAX : INT32_MAX;
    const bool large = *value > narrow || wide;
    const bool positive = withoutSign || *value > INT64_MAX;
    text.remove_prefix(at);
    return integerScalar(*value, integerOfSize(large ? 8 : 4, !positive));
}

Result<Scalar> takeCharacter(std::string_view& text) {
    std::size_t end = 2;
    std::uint64_t value = 0;
    if (text.size() > 3 && text[1] == '\\') {
        constexpr std::string_view names = "nrt0\\'";
        constexpr std::string_view meanings("\n\r\t\0\\'", 6);
        const std::size_t which = names.find(text[2]);
        if (which == std::string_view::npos) return syntaxError(text);
        value = static_cast<unsigned char>(meanings[which]);
        end = 3;
    } else if (text.size() > 2) {
        value = static_cast<unsigned char>(text[1]);
    }
    if (end >= text.size() || text[end] != '\'') return syntaxError(text);
    text.remove_prefix(end + 1);
    return converted(integerScalar(value, Arithmetic::int32), Arithmetic::character);
}

}  // namespace icecore::debugger
