// .printf.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// Widths beyond this are slips.
constexpr std::uint64_t widest = 1024;
constexpr std::size_t longestText = 4096;

/// `%-08I64x`: flags, width and the letter.
struct Conversion {
    bool left = false, zeros = false, prefix = false, wide = false;
    std::size_t width = 0;
    std::string letters;  ///< "x", "d", "ma", "y"
};

/// Takes what follows a '%'.
Result<Conversion> takeConversion(std::string_view& format) {
    Conversion conversion;
    while (!format.empty() && std::string_view("-0#+ ").contains(format.front())) {
        conversion.left = conversion.left || format.front() == '-';
        conversion.zeros = conversion.zeros || format.front() == '0';
        conversion.prefix = conversion.prefix || format.front() == '#';
        format.remove_prefix(1);
    }
    const std::size_t digits = std::min(format.find_first_not_of("0123456789."), format.size());
    const std::string_view number = format.substr(0, std::min(format.find('.'), digits));
    conversion.width = static_cast<std::size_t>(std::min(parseDecimal(number).value_or(0), widest));
    format.remove_prefix(digits);
    for (const std::string_view size : {"I64", "ll", "l", "h"}) {
        if (!format.starts_with(size)) continue;
        conversion.wide = size == "I64" || size == "ll";
        format.remove_prefix(size.size());
        break;
    }
    const bool two = format.size() >= 2 && (format.front() == 'm' || format.front() == '_');
    conversion.letters = std::string(format.substr(0, two ? 2 : 1));
    if (conversion.letters.empty()) return fail(Errc::usage, ".printf: '%' at the end");
    format.remove_prefix(conversion.letters.size());
    return conversion;
}

std::string wideText(const Session& session, std::uint64_t address) {
    std::u16string text;
    while (text.size() < longestText) {
        const auto unit = session.memory().readInteger<std::uint16_t>(address + 2 * text.size());
        if (!unit || *unit == 0) break;
        text += static_cast<char16_t>(*unit);
    }
    return utf16ToUtf8(text);
}

Result<std::string> convert(const Session& session, const Conversion& conversion,
                            std::uint64_t value) {
    const std::uint64_t number = conversion.wide ? value : value & UINT32_MAX;
    if (conversion.letters == "d" || conversion.letters == "i") {
        return fmt::format("{}", conversion.wide ? static_cast<std::int64_t>(value)
                                                 : std::int64_t{static_cast<std::int32_t>(
                                                       static_cast<std::uint32_t>(number))});
    }
    if (conversion.letters == "u") return fmt::format("{}", number);
    if (conversion.letters == "o") return fmt::format("{:o}", number);
    if (conversion.letters == "x")
        return fmt::format("{}{:x}", conversion.prefix ? "0x" : "", number);
    if (conversion.letters == "X")
        return fmt::format("{}{:X}", conversion.prefix ? "0X" : "", number);
    if (conversion.letters == "c") return std::string(1, static_cast<char>(number & 0x7fU));
    if (conversion.letters == "p" || conversion.letters == "N")
        return hexDigits(value, static_cast<int>(session.pointerSize() * 2));
    if (conversion.letters == "y") {
        const std::string symbol = symbolText(session, value);
        const std::string address = addressText(session, value);
        return symbol.empty() ? address : fmt::format("{} ({})", symbol, address);
    }
    if (conversion.letters == "ma")
        return session.memory().readCString(value, longestText).value_or("");
    if (conversion.letters == "mu") return wideText(session, value);
    return fail(Errc::usage, fmt::format(".printf: %{} is not known (d u x X o c p N y ma mu)",
                                         printable(conversion.letters)));
}

std::string padded(const Conversion& conversion, std::string text) {
    if (text.size() >= conversion.width) return text;
    const std::size_t missing = conversion.width - text.size();
    if (conversion.left) return text + std::string(missing, ' ');
    return std::string(missing, conversion.zeros ? '0' : ' ') + text;
}

}  // namespace

Result<void> printFormatted(CommandCall& call) {
    if (!call.arguments.rest().starts_with('"'))
        return fail(Errc::usage, ".printf \"FORMAT\", VALUE, …");
    std::string_view format = call.arguments.takeWord();
    std::string text;
    while (!format.empty()) {
        const char c = format.front();
        format.remove_prefix(1);
        if (c == '\\' && !format.empty()) {
            const char escaped = format.front();
            format.remove_prefix(1);
            text += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
            continue;
        }
        if (c != '%') {
            text += c;
            continue;
        }
        if (format.starts_with('%')) {
            text += '%';
            format.remove_prefix(1);
            continue;
        }
        ASSIGN_OR_RETURN(const Conversion conversion, takeConversion(format));
        if (call.arguments.rest().starts_with(',')) call.arguments.skip(1);
        if (call.arguments.empty()) return fail(Errc::usage, ".printf: a value is missing");
        ASSIGN_OR_RETURN(const std::uint64_t value, call.arguments.takeExpression());
        ASSIGN_OR_RETURN(std::string piece, convert(call.session, conversion, value));
        text += padded(conversion, printable(piece));
    }
    TRY(call.arguments.finish());
    call.out.write(text);
    return {};
}

}  // namespace icecore::debugger
