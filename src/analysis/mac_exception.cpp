#include "analysis/mac_exception.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/signals.h"

namespace icecore {

namespace {

struct Words {
    std::uint32_t code;
    std::string_view name, text;
};

// mach/exception_types.h; the last is Crashpad's own, for a dump without an exception.
enum : std::uint32_t { badAccess = 1, badInstruction = 2, arithmetic = 3, breakpoint = 6 };
constexpr auto exceptions = std::to_array<Words>({
    {badAccess, "EXC_BAD_ACCESS", "invalid memory access"},
    {badInstruction, "EXC_BAD_INSTRUCTION", "invalid instruction"},
    {arithmetic, "EXC_ARITHMETIC", "arithmetic exception"},
    {4, "EXC_EMULATION", "instruction that is emulated"},
    {5, "EXC_SOFTWARE", "raised by software"},
    {breakpoint, "EXC_BREAKPOINT", "breakpoint or trap"},
    {7, "EXC_SYSCALL", "system call"},
    {8, "EXC_MACH_SYSCALL", "Mach system call"},
    {9, "EXC_RPC_ALERT", "RPC alert"},
    {10, "EXC_CRASH", "the process ended abnormally"},
    {11, "EXC_RESOURCE", "a limit of resources was reached"},
    {12, "EXC_GUARD", "a guarded resource was used wrongly"},
    {13, "EXC_CORPSE_NOTIFY", "notification of a dead process"},
    {0x43507378, "CRASHPAD_SIMULATED", "the program asked for this dump"},
});

// mach/kern_return.h: codes of EXC_BAD_ACCESS.
constexpr auto accessCodes = std::to_array<Words>({
    {1, "KERN_INVALID_ADDRESS", "nothing is mapped there"},
    {2, "KERN_PROTECTION_FAILURE", "the protection forbids it"},
    {9, "KERN_MEMORY_FAILURE", "the page could not be had"},
    {10, "KERN_MEMORY_ERROR", "the page could not be read"},
    {50, "KERN_CODESIGN_ERROR", "the code signature is not valid"},
});

}  // namespace

MacException readMacException(const Exception& exception) {
    MacException out;
    const auto row = std::ranges::find(exceptions, exception.code, &Words::code);
    out.name = row != exceptions.end() ? std::string(row->name) : hex(exception.code);
    out.text = row != exceptions.end() ? std::string(row->text) : "exception " + out.name;
    if (exception.code != badAccess) return out;
    const auto code = std::ranges::find(accessCodes, exception.flags, &Words::code);
    if (code == accessCodes.end()) return out;
    out.kind = code->name;
    out.text += fmt::format(": {}, {}", code->name, code->text);
    return out;
}

std::optional<Exception> macSignal(const Exception& exception) {
    Exception same = exception;
    same.signalCode = 0;
    switch (exception.code) {
    case badAccess:
        same.code = signals::segv;
        same.signalCode =
            exception.flags == 2 ? signal_codes::segvAccessError : signal_codes::segvMapError;
        return same;
    case badInstruction: same.code = signals::ill; return same;
    case arithmetic:
        same.code = signals::fpe;
        // EXC_I386_DIV
        same.signalCode = exception.flags == 1 ? signal_codes::fpeIntegerDivide : 0;
        return same;
    case breakpoint: same.code = signals::trap; return same;
    default: return std::nullopt;
    }
}

}  // namespace icecore
