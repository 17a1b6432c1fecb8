#include "debugger/event_text.h"

#include <fmt/format.h>

#include "analysis/signals.h"
#include "base/text.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

std::string exceptionText(const Process& process, const Exception& exception) {
    if (process.system.os == Os::windows)
        return fmt::format("Exception code {:08x}", exception.code);
    const SignalWords signal = signalWords(exception.code);
    const SignalCodeWords code = signalCodeWords(exception.code, exception.signalCode);
    std::string text = fmt::format("Signal {} - {}", signal.name, signal.text);
    if (!code.text.empty()) text += fmt::format(": {}", code.text);
    text += fmt::format(" - code {}", exception.code);
    if (!code.name.empty()) text += fmt::format(", {}", code.name);
    return text;
}

std::string exceptionRecordText(const Session& session, const Exception& exception) {
    const std::string symbol = symbolText(session, exception.address);
    std::string text =
        fmt::format("ExceptionAddress: {}{}\n", addressText(session, exception.address),
                    symbol.empty() ? "" : fmt::format(" ({})", symbol));
    text += fmt::format("   ExceptionCode: {:08x} ({})\n", exception.code,
                        exceptionText(session.process(), exception));
    text += fmt::format("  ExceptionFlags: {:08x}\n", exception.flags);
    text += fmt::format("NumberParameters: {}\n", exception.parameters.size());
    for (std::size_t i = 0; i < exception.parameters.size(); ++i)
        text += fmt::format("   Parameter[{}]: {}\n", i, hexTicked(exception.parameters[i]));
    if (session.process().system.os != Os::windows)
        text += fmt::format("      SignalCode: {}\n", exception.signalCode);
    if (exception.faultAddress) {
        text += fmt::format("    FaultAddress: {} ({})\n",
                            addressText(session, *exception.faultAddress),
                            session.memory().explain(*exception.faultAddress));
    }
    if (exception.sender) text += fmt::format("          Sender: pid {}\n", *exception.sender);
    return text;
}

std::string bannerText(Session& session) {
    const Process& process = session.process();
    const Provenance& from = session.snapshot().provenance;
    std::string text = fmt::format("Dump File [{}]: {} of {}, pid {}\n", printable(from.path),
                                   from.format, printable(process.name), process.pid);
    text += toString(process.system.os);
    if (!process.system.version.empty()) text += " " + printable(process.system.version);
    text += fmt::format(" ({})\n", toString(process.system.arch));
    if (from.time) text += fmt::format("Debug session time: {}\n", timeText(*from.time));
    if (!process.commandLine.empty())
        text += fmt::format("Command line: {}\n",
                            printable(fmt::format("{}", fmt::join(process.commandLine, " "))));
    text += fmt::format("{} threads, {} modules\n", process.threads.size(), process.modules.size());
    if (const auto& exception = process.exception) {
        text += fmt::format("{}\n", exceptionText(process, *exception));
        std::string where = fmt::format("({:x}.{:x}): ", process.pid, exception->threadId);
        if (exception->address != 0)
            where += "at " + symbolOrAddressText(session, exception->address);
        if (exception->faultAddress)
            where += fmt::format(", address {}", addressText(session, *exception->faultAddress));
        text += where + "\n";
        text += "For the verdict type !analyze -v; .ecxr goes to the registers of the event.\n";
    }
    for (const Issue& issue : session.snapshot().issues.items()) {
        if (issue.severity == Severity::loss)
            text += fmt::format("WARNING: {}\n", printable(issue.describe()));
    }
    return text;
}

}  // namespace icecore::debugger
