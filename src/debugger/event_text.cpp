#include "debugger/event_text.h"

#include <fmt/format.h>

#include <array>

#include "analysis/bug_checks.h"
#include "analysis/windows_exception.h"
#include "analysis/windows_status.h"
#include "base/text.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"
#include "model/signals.h"

namespace icecore::debugger {

namespace {

/// As WinDbg calls the common ones; others have the words of our own table.
std::string windowsExceptionName(std::uint32_t code) {
    constexpr auto names = std::to_array<std::pair<std::uint32_t, std::string_view>>({
        {statuses::accessViolation, "Access violation"},
        {statuses::stackOverflow, "Stack overflow"},
        {statuses::integerDivide, "Integer divide-by-zero"},
        {statuses::integerOverflow, "Integer overflow"},
        {statuses::illegalInstruction, "Illegal instruction"},
        {statuses::privilegedInstruction, "Privileged instruction"},
        {statuses::breakpoint, "Break instruction exception"},
        {statuses::singleStep, "Single step exception"},
        {statuses::guardPage, "Guard page violation"},
        {statuses::inPageError, "In-page I/O error"},
        {statuses::fastFail, "Security check failure or stack buffer overrun"},
        {statuses::assertionFailure, "Assertion failure"},
        {statuses::cppException, "C++ EH exception"},
        {statuses::clrException, "CLR exception"},
    });
    for (const auto& [known, name] : names) {
        if (known == code) return std::string(name);
    }
    const auto words = statusWords(code);
    return words ? std::string(words->name) : "Unknown exception";
}

/// The line WinDbg adds: what an access violation did, what a fast fail means.
std::string windowsExceptionDetail(const Exception& exception) {
    const auto& parameters = exception.parameters;
    if (exception.code == statuses::accessViolation && parameters.size() >= 2) {
        const std::string_view how = parameters[0] == 1   ? "write to"
                                     : parameters[0] == 8 ? "execute non-executable"
                                                          : "read from";
        return fmt::format("Attempt to {} address {:016x}\n", how, parameters[1]);
    }
    if (exception.code == statuses::fastFail && !parameters.empty()) {
        const auto words = fastFailWords(parameters[0]);
        return fmt::format("Subcode: {:#x} {}\n", parameters[0],
                           words ? words->name : std::string_view("(unknown)"));
    }
    return {};
}

}  // namespace

std::string exceptionText(const Process& process, const Exception& exception) {
    if (process.system.os == Os::windows) {
        const std::string_view chance = !exception.firstChance ? "first/second chance not available"
                                        : *exception.firstChance ? "first chance"
                                                                 : "!!! second chance !!!";
        return fmt::format("{} - code {:08x} ({})", windowsExceptionName(exception.code),
                           exception.code, chance);
    }
    const SignalWords signal = signalWords(exception.code);
    const SignalCodeWords code = signalCodeWords(exception.code, exception.signalCode);
    std::string text = fmt::format("Signal {} - {}", signal.name, signal.text);
    if (!code.text.empty()) text += fmt::format(": {}", code.text);
    text += fmt::format(" - code {}", exception.code);
    if (!code.name.empty()) text += fmt::format(", {}", code.name);
    return text;
}

std::string eventText(const Session& session, const Exception& exception) {
    if (!session.snapshot().machine || session.process().system.os != Os::windows)
        return exceptionText(session.process(), exception);
    std::vector<std::string> parameters;
    parameters.reserve(exception.parameters.size());
    for (const std::uint64_t parameter : exception.parameters)
        parameters.push_back(fmt::format("{:x}", parameter));
    return fmt::format("BugCheck {:X}, {{{}}}: {}", exception.code, fmt::join(parameters, ", "),
                       explainBugCheck(exception.code, exception.parameters).name);
}

namespace {

/// "crash!inner+0x0000000000000005", as WinDbg's exception records name places.
std::string windowsPlace(const Session& session, std::uint64_t address) {
    const Symbolization known = session.symbolizer().symbolize(address, false);
    if (known.frames.empty()) return symbolText(session, address);
    return fmt::format("{}!{}+0x{}", moduleText(session, known.module),
                       printable(known.frames.front().function),
                       hexDigits(known.frames.front().functionOffset,
                                 static_cast<int>(session.pointerSize() * 2)));
}

}  // namespace

std::string exceptionRecordText(const Session& session, const Exception& exception) {
    const bool windows = session.process().system.os == Os::windows;
    const std::string symbol =
        windows ? windowsPlace(session, exception.address) : symbolText(session, exception.address);
    std::string text = fmt::format(
        "ExceptionAddress: {}{}\n",
        windows ? hexDigits(exception.address, static_cast<int>(session.pointerSize() * 2))
                : addressText(session, exception.address),
        symbol.empty() ? "" : fmt::format(" ({})", symbol));
    text += fmt::format("   ExceptionCode: {:08x} ({})\n", exception.code,
                        windows ? windowsExceptionName(exception.code)
                                : exceptionText(session.process(), exception));
    text += fmt::format("  ExceptionFlags: {:08x}\n", exception.flags);
    text += fmt::format("NumberParameters: {}\n", exception.parameters.size());
    for (std::size_t i = 0; i < exception.parameters.size(); ++i)
        text += fmt::format("   Parameter[{}]: {}\n", i,
                            windows ? fmt::format("{:016x}", exception.parameters[i])
                                    : hexTicked(exception.parameters[i]));
    if (windows) return text + windowsExceptionDetail(exception);
    text += fmt::format("      SignalCode: {}\n", exception.signalCode);
    if (exception.faultAddress) {
        text += fmt::format("    FaultAddress: {} ({})\n",
                            addressText(session, *exception.faultAddress),
                            session.memory().explain(*exception.faultAddress));
    }
    if (exception.sender) text += fmt::format("          Sender: pid {}\n", *exception.sender);
    return text;
}

std::string_view machineText(Arch arch) {
    switch (arch) {
    case Arch::x86: return "x86 compatible (x86)";
    case Arch::x86_64: return "x64 (AMD64)";
    case Arch::arm: return "ARM (ARM)";
    case Arch::arm64: return "ARM 64-bit (AArch64)";
    case Arch::unknown: break;
    }
    return "unknown";
}

std::string bannerText(Session& session) {
    const Process& process = session.process();
    const Provenance& from = session.snapshot().provenance;
    std::string text = fmt::format("Dump File [{}]: {} of {}, pid {}\n", printable(from.path),
                                   from.format, printable(process.name), process.pid);
    text += toString(process.system.os);
    if (!process.system.version.empty()) text += " " + printable(process.system.version);
    text += fmt::format(" ({})\n", toString(session.nativeArch()));
    if (from.time) text += fmt::format("Debug session time: {}\n", timeText(*from.time));
    if (!process.commandLine.empty())
        text += fmt::format("Command line: {}\n",
                            printable(fmt::format("{}", fmt::join(process.commandLine, " "))));
    text += fmt::format("{} threads, {} modules\n", process.threads.size(), process.modules.size());
    if (const auto& exception = process.exception) {
        text += fmt::format("{}\n", eventText(session, *exception));
        std::string where = fmt::format("({:x}.{:x}): ", process.pid, exception->threadId);
        if (exception->address != 0)
            where += "at " + symbolOrAddressText(session, exception->address);
        if (exception->faultAddress)
            where += fmt::format(", address {}", addressText(session, *exception->faultAddress));
        text += where + "\n";
        text += "For the verdict type !analyze -v; .ecxr goes to the registers of the event.\n";
    }
    if (const auto other = session.otherArch()) {
        text += fmt::format(
            "A 32-bit process on 64-bit Windows (WOW64): this is its {} side; "
            ".effmach {} goes to the other.\n",
            toString(session.arch()), *other == Arch::x86_64 ? "amd64" : toString(*other));
    }
    for (const Issue& issue : session.snapshot().issues.items()) {
        if (issue.severity == Severity::loss)
            text += fmt::format("WARNING: {}\n", printable(issue.describe()));
    }
    return text;
}

}  // namespace icecore::debugger
