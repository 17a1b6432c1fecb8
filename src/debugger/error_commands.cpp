// !error, !gle.
#include <fmt/format.h>

#include "analysis/windows_status.h"
#include "base/text.h"
#include "debugger/code_text.h"
#include "debugger/commands.h"
#include "debugger/error_names.h"
#include "debugger/symbol_text.h"
#include "debugger/windows_blocks.h"
#include "model/signals.h"

namespace icecore::debugger {

namespace {

std::string errorText(std::uint64_t number) {
    const ErrorName* known = linuxErrorName(number);
    return fmt::format("(Linux errno) {:#x} ({}) - {}", number, number,
                       known != nullptr ? fmt::format("{}: {}", known->name, known->text)
                                        : "<no error has this number>");
}

/// Where the current thread's errno lies. The C library's own __errno_location says it: a load of
/// the variable's place relative to the thread pointer, and the addition of that pointer; the two
/// instructions are carried out by reading the dump. x86-64 only.
Result<std::uint64_t> errnoAddress(Session& session) {
    const Thread* thread = session.thread();
    if (session.arch() != Arch::x86_64 || session.process().system.os == Os::windows)
        return fail(Errc::unsupported, "the last error is found in x86-64 Linux dumps only");
    if (thread == nullptr || !thread->tls)
        return fail(Errc::not_found, "the dump does not tell the thread pointer of this thread");
    const auto function = session.symbolizer().byName("__errno_location");
    if (!function) return fail(Errc::not_found, "no C library with __errno_location is known");
    const CodeReader reader(session);
    std::uint64_t at = function->address;
    std::optional<std::uint64_t> place;
    for (int i = 0; i < 8; ++i) {
        const auto instruction = reader.decode(at);
        if (!instruction) break;
        const std::uint64_t next = at + instruction->bytes.size();
        if (instruction->flow == Flow::ret) break;
        if (instruction->mnemonic == "mov" && !place && instruction->memory.size() == 1 &&
            instruction->memory[0].base == RegisterId{x64::rip}) {
            const std::uint64_t slot =
                next + static_cast<std::uint64_t>(instruction->memory[0].displacement);
            place = session.memory().readInteger<std::uint64_t>(slot);
        }
        if (instruction->mnemonic == "mov" && !place && instruction->memory.empty()) {
            // `mov rax, 0xff…c0`: a program linked statically knows the place itself.
            const std::size_t comma = instruction->operands.find(", ");
            if (comma != std::string::npos)
                place = parseNumber(instruction->operands.substr(comma + 2));
        }
        if (instruction->mnemonic == "add" && place) return *thread->tls + *place;
        at = next;
    }
    return fail(Errc::not_found, "__errno_location has a form that is not understood");
}

}  // namespace

namespace {

std::string statusText(std::uint32_t code) {
    const auto words = statusWords(code);
    constexpr std::uint32_t waits = 64;  // STATUS_WAIT_0 … STATUS_WAIT_63: which object it was
    if (code > 0 && code < waits)
        return fmt::format("(NTSTATUS) {:#x} ({}) - STATUS_WAIT_{}", code, code, code);
    return fmt::format("(NTSTATUS) {:#x} ({}) - {}", code, code,
                       words ? fmt::format("{}: {}", words->name, words->text)
                             : "<Unable to get error code text>");
}

/// What a number means on Windows: an NTSTATUS when it is one or `status` says so, else an HRESULT
/// made of a Win32 error (FACILITY_WIN32, winerror.h), else a Win32 error.
std::string windowsErrorText(std::uint32_t code, bool status) {
    constexpr std::uint32_t win32Result = 0x80070000, facility = 0xffff0000;
    if (!status && (code & facility) == win32Result) {
        return fmt::format("(HRESULT) {:#x} ({}) - {}", code, code,
                           win32ErrorText(code & ~facility));
    }
    if (status || (code > UINT16_MAX && statusWords(code))) return statusText(code);
    return win32ErrorText(code);
}

}  // namespace

Result<void> explainError(CommandCall& call) {
    ASSIGN_OR_RETURN(const std::uint64_t number, call.arguments.takeExpression());
    std::uint64_t flags = 0;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(flags, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    if (call.session.process().system.os == Os::windows || (flags & 1U) != 0) {
        call.out.print("Error code: {}\n",
                       windowsErrorText(static_cast<std::uint32_t>(number), (flags & 1U) != 0));
        return {};
    }
    // System calls return the number negated.
    const auto negated = static_cast<std::int64_t>(0 - number);
    const std::uint64_t positive =
        static_cast<std::int64_t>(number) < 0 ? static_cast<std::uint64_t>(negated) : number;
    call.out.print("Error code: {}\n", errorText(positive));
    if (positive >= 1 && positive <= 64) {
        const SignalWords signal = signalWords(static_cast<std::uint32_t>(positive));
        call.out.print("As a signal: {} - {}\n", signal.name, signal.text);
    }
    return {};
}

Result<void> lastError(CommandCall& call) {
    const bool all = call.arguments.takeKeyword("-all");
    TRY(call.arguments.finish());
    Session& session = call.session;
    const std::size_t count = session.process().threads.size();
    for (std::size_t i = all ? 0 : session.threadIndex(); i < count && !session.interrupted();
         ++i) {
        const ThreadVisit visit(session, i);
        if (all) call.out.print("Last error for thread {:X}:\n", session.process().threads[i].id);
        if (session.process().system.os == Os::windows) {
            const auto errors = windowsLastErrors(session);
            if (!errors && !all) return std::unexpected(errors.error());
            call.out.print("LastErrorValue: {}\n",
                           errors ? win32ErrorText(errors->error) : "not in the dump");
            if (errors && errors->status) {
                call.out.print("LastStatusValue: {}\n", statusText(*errors->status));
            }
            if (!all) break;
            continue;
        }
        const auto address = errnoAddress(session);
        if (!address && !all) return std::unexpected(address.error());
        const auto value =
            address ? session.process().memory->readInteger<std::uint32_t>(*address) : std::nullopt;
        if (!value && !all) {
            return fail(Errc::unreadable,
                        fmt::format("errno at {} cannot be read: {}", hexTicked(*address),
                                    session.process().memory->explain(*address)));
        }
        call.out.print("LastErrorValue: {}\n", !value        ? std::string("not in the dump")
                                               : *value == 0 ? "(Linux errno) 0 (0) - no error"
                                                             : errorText(*value));
        if (!all) break;
    }
    return {};
}

}  // namespace icecore::debugger
