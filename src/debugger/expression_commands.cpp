// ?, ??, .formats, n.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <bit>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/cpp_expression.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

std::string grouped(std::string digits, std::size_t size) {
    for (std::size_t at = digits.size(); at > size; at -= size)
        digits.insert(at - size, " ");
    return digits;
}

std::string charactersText(std::uint64_t value, std::size_t bytes) {
    std::string text;
    for (std::size_t i = bytes; i-- > 0;) {
        const char c = static_cast<char>(value >> (8 * i) & 0xffU);
        text += c >= ' ' && c < 0x7f ? c : '.';
    }
    return text;
}

/// Seconds since 1970 as a date, when they look like one.
std::string dateText(std::uint64_t value) {
    if (value > 0x7fffffffU) return "value is out of range";
    return fmt::format("{:%a %b %e %H:%M:%S %Y} UTC", fmt::gmtime(static_cast<std::time_t>(value)));
}

}  // namespace

Result<void> evaluateExpression(CommandCall& call) {
    if (call.arguments.empty()) return showHelp(call);
    ASSIGN_OR_RETURN(const std::uint64_t value, call.arguments.takeExpression());
    TRY(call.arguments.finish());
    call.out.print("Evaluate expression: {} = {}\n", static_cast<std::int64_t>(value),
                   addressText(call.session, value));
    return {};
}

Result<void> evaluateCppExpression(CommandCall& call) {
    if (call.arguments.empty()) return showHelp(call);
    ASSIGN_OR_RETURN(const CppValue value, evaluateCpp(call.arguments.takeRest(), call.session));
    printValue(call.session, call.out, value);
    return {};
}

Result<void> showFormats(CommandCall& call) {
    ASSIGN_OR_RETURN(const std::uint64_t value, call.arguments.takeExpression());
    TRY(call.arguments.finish());
    call.out.print(
        "Evaluate expression:\n"
        "  Hex:     {}\n"
        "  Decimal: {}\n"
        "  Octal:   {:022o}\n"
        "  Binary:  {}\n"
        "  Chars:   {}\n"
        "  Time:    {}\n"
        "  Float:   low {} high {}\n"
        "  Double:  {}\n",
        hexTicked(value), static_cast<std::int64_t>(value), value,
        grouped(fmt::format("{:064b}", value), 8), charactersText(value, 8), dateText(value),
        std::bit_cast<float>(static_cast<std::uint32_t>(value)),
        std::bit_cast<float>(static_cast<std::uint32_t>(value >> 32U)),
        std::bit_cast<double>(value));
    return {};
}

Result<void> setRadix(CommandCall& call) {
    if (!call.arguments.empty()) {
        const auto radix = parseDecimal(call.arguments.takeWord());
        TRY(call.arguments.finish());
        if (radix != 8 && radix != 10 && radix != 16) return fail(Errc::usage, "n 8, n 10 or n 16");
        call.session.setRadix(static_cast<unsigned>(*radix));
    }
    call.out.print("base is {}\n", call.session.radix());
    return {};
}

}  // namespace icecore::debugger
