// .exr, .lastevent, vertarget, .dumpdebug, .time.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/bug_checks.h"
#include "base/text.h"
#include "base/version.h"
#include "debugger/commands.h"
#include "debugger/event_text.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

void printSessionTimes(CommandCall& call) {
    const Snapshot& snapshot = call.session.snapshot();
    const Process& process = call.session.process();
    const auto& taken = snapshot.provenance.time;
    call.out.print("Debug session time: {}\n", taken ? timeText(*taken) : "not recorded");
    if (process.started) {
        call.out.print("Process started: {}\n", timeText(*process.started));
        if (taken && *taken >= *process.started)
            call.out.print("Process Uptime: {}\n", daysText(*taken - *process.started));
    }
    if (process.kernelTime) call.out.print("  Kernel time: {}\n", daysText(*process.kernelTime));
    if (process.userTime) call.out.print("  User time: {}\n", daysText(*process.userTime));
}

/// EXCEPTION_RECORD of winnt.h: code, flags, the next record, address, count, parameters; pointers
/// are as long as the process' own.
Result<Exception> readExceptionRecord(const Session& session, std::uint64_t address) {
    constexpr std::size_t mostParameters = 15;
    const std::size_t pointer = session.pointerSize();
    const AddressSpace& memory = session.memory();
    std::array<std::byte, 32 + mostParameters * 8> raw{};
    const std::size_t head = pointer == 8 ? 32 : 20;
    TRY(memory.readExactly(address, std::span(raw).first(head)));
    Exception exception;
    exception.code = loadInteger<std::uint32_t>(raw.data());
    exception.flags = loadInteger<std::uint32_t>(raw.data() + 4);
    const auto pointerAt = [&](std::size_t offset) {
        return pointer == 8 ? loadInteger<std::uint64_t>(raw.data() + offset)
                            : loadInteger<std::uint32_t>(raw.data() + offset);
    };
    exception.address = pointerAt(8 + pointer);
    const auto count = loadInteger<std::uint32_t>(raw.data() + 8 + 2 * pointer);
    if (count > mostParameters) {
        return fail(Errc::malformed, fmt::format("there is no EXCEPTION_RECORD at {}: it would "
                                                 "have {} parameters",
                                                 addressText(session, address), count));
    }
    TRY(memory.readExactly(address, std::span(raw).first(head + count * pointer)));
    for (std::size_t i = 0; i < count; ++i)
        exception.parameters.push_back(pointerAt(head + i * pointer));
    return exception;
}

}  // namespace

Result<void> showException(CommandCall& call) {
    if (call.arguments.empty() || call.arguments.takeKeyword("-1")) {
        TRY(call.arguments.finish());
        const auto& exception = call.session.process().exception;
        if (!exception) return fail(Errc::not_found, "Last event was not an exception");
        call.out.write(exceptionRecordText(call.session, *exception));
        return {};
    }
    if (call.session.process().system.os != Os::windows) {
        return fail(Errc::unsupported,
                    ".exr -1 shows the dump's own exception; records in memory are a thing of "
                    "Windows dumps");
    }
    ASSIGN_OR_RETURN(const std::uint64_t address, call.arguments.takeExpression());
    TRY(call.arguments.finish());
    ASSIGN_OR_RETURN(const Exception exception, readExceptionRecord(call.session, address));
    call.out.write(exceptionRecordText(call.session, exception));
    return {};
}

Result<void> showOutline(CommandCall& call) {
    TRY(call.arguments.finish());
    if (!call.session.outline)
        return fail(Errc::unsupported, ".dumpdebug: nothing is known of this dump's file");
    ASSIGN_OR_RETURN(const std::string text, call.session.outline());
    call.out.write(text);
    return {};
}

Result<void> showBugCheck(CommandCall& call) {
    TRY(call.arguments.finish());
    const Process& process = call.session.process();
    if (!call.session.snapshot().machine || !process.exception)
        return fail(Errc::not_found, "this is not a dump of a kernel: it has no bug check");
    const BugCheck check = explainBugCheck(process.exception->code, process.exception->parameters);
    call.out.print("Bugcheck code {:08X}\nArguments", check.code);
    for (const std::uint64_t parameter : process.exception->parameters)
        call.out.print(" {}", hexTicked(parameter));
    call.out.print("\n{}: {}\n", check.name, check.text);
    return {};
}

Result<void> lastEvent(CommandCall& call) {
    TRY(call.arguments.finish());
    const Process& process = call.session.process();
    if (!process.exception) {
        call.out.print(
            "Last event: {:x}.{:x}: none: the process was running when the dump was "
            "taken\n",
            process.pid,
            call.session.thread() != nullptr ? call.session.thread()->id : process.pid);
    } else {
        call.out.print("Last event: {:x}.{:x}: {}\n", process.pid, process.exception->threadId,
                       eventText(call.session, *process.exception));
    }
    const auto& taken = call.session.snapshot().provenance.time;
    call.out.print("  debugger time: {}\n", taken ? timeText(*taken) : "not recorded");
    return {};
}

namespace {

/// "Windows 10 Version 19045 MP (4 procs) Free x64": how WinDbg calls a Windows.
std::string windowsText(const SystemInfo& system, Arch native) {
    struct Release {
        std::uint32_t major, minor, build;
        std::string_view name;
    };
    constexpr std::array<Release, 8> releases = {{{10, 0, 22000, "11"},
                                                  {10, 0, 0, "10"},
                                                  {6, 3, 0, "8.1"},
                                                  {6, 2, 0, "8"},
                                                  {6, 1, 0, "7"},
                                                  {6, 0, 0, "Vista"},
                                                  {5, 2, 0, "Server 2003"},
                                                  {5, 1, 0, "XP"}}};
    const auto release = std::ranges::find_if(releases, [&](const Release& row) {
        return row.major == system.major && row.minor == system.minor && row.build <= system.build;
    });
    std::string text = "Windows ";
    if (release != releases.end()) text += fmt::format("{} ", release->name);
    text += fmt::format("Version {} ", system.build);
    // Of newer ones it is the build's full name, which has a line of its own.
    if (system.distribution.starts_with("Service Pack"))
        text += fmt::format("({}) ", printable(system.distribution));
    text += system.cpuCount > 1 ? fmt::format("MP ({} procs) ", system.cpuCount) : "UP ";
    const std::string_view arch = native == Arch::x86_64  ? "x64"
                                  : native == Arch::x86   ? "x86 compatible"
                                  : native == Arch::arm64 ? "ARM 64-bit (AArch64)"
                                                          : toString(native);
    return text + fmt::format("Free {}", arch);
}

}  // namespace

Result<void> showTarget(CommandCall& call) {
    TRY(call.arguments.finish());
    const Process& process = call.session.process();
    const SystemInfo& system = process.system;
    const bool windows = system.os == Os::windows && system.build != 0;
    std::string line = fmt::format("{} ", toString(system.os));
    if (!system.version.empty()) line += printable(system.version) + " ";
    if (system.cpuCount != 0) line += fmt::format("MP ({} procs) ", system.cpuCount);
    line += toString(call.session.nativeArch());
    call.out.print("{}\n", windows ? windowsText(system, call.session.nativeArch()) : line);
    if (!system.distribution.empty() && !system.distribution.starts_with("Service Pack"))
        call.out.print("Product: {}\n", printable(system.distribution));
    if (!system.cpuModel.empty()) call.out.print("Processor: {}\n", printable(system.cpuModel));
    if (!system.hostName.empty()) call.out.print("Machine Name: {}\n", printable(system.hostName));
    printSessionTimes(call);
    if (call.name == "version") call.out.print("icecore {}\n", versionText);
    return {};
}

Result<void> showTimes(CommandCall& call) {
    TRY(call.arguments.finish());
    printSessionTimes(call);
    return {};
}

}  // namespace icecore::debugger
