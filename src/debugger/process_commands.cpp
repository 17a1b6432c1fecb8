// !peb, !teb.
#include <fmt/format.h>

#include <string>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"
#include "debugger/windows_blocks.h"

namespace icecore::debugger {

namespace {

struct AuxiliaryName {
    std::uint64_t type;
    std::string_view name;
};
// Linux: uapi/linux/auxvec.h.
constexpr std::array<AuxiliaryName, 27> auxiliaryNames = {{
    {3, "AT_PHDR"},           {4, "AT_PHENT"},
    {5, "AT_PHNUM"},          {6, "AT_PAGESZ"},
    {7, "AT_BASE"},           {8, "AT_FLAGS"},
    {9, "AT_ENTRY"},          {10, "AT_NOTELF"},
    {11, "AT_UID"},           {12, "AT_EUID"},
    {13, "AT_GID"},           {14, "AT_EGID"},
    {15, "AT_PLATFORM"},      {16, "AT_HWCAP"},
    {17, "AT_CLKTCK"},        {23, "AT_SECURE"},
    {24, "AT_BASE_PLATFORM"}, {25, "AT_RANDOM"},
    {26, "AT_HWCAP2"},        {27, "AT_RSEQ_FEATURE_SIZE"},
    {28, "AT_RSEQ_ALIGN"},    {29, "AT_HWCAP3"},
    {30, "AT_HWCAP4"},        {31, "AT_EXECFN"},
    {32, "AT_SYSINFO"},       {33, "AT_SYSINFO_EHDR"},
    {51, "AT_MINSIGSTKSZ"},
}};

std::string auxiliaryName(std::uint64_t type) {
    for (const AuxiliaryName& known : auxiliaryNames) {
        if (known.type == type) return std::string(known.name);
    }
    return fmt::format("AT_{}", type);
}

void printAuxiliary(CommandCall& call) {
    if (call.session.process().auxv.empty()) return;
    call.out.write("    AuxiliaryVector:\n");
    for (const auto& [type, value] : call.session.process().auxv) {
        if (type == 0) continue;  // AT_NULL
        std::string note = symbolText(call.session, value);
        // AT_EXECFN, AT_PLATFORM, AT_BASE_PLATFORM point to text.
        if (type == 31 || type == 15 || type == 24) {
            if (const auto text = call.session.memory().readCString(value))
                note = fmt::format("\"{}\"", printable(*text));
        }
        call.out.print("        {:<20} {} {}\n", auxiliaryName(type), hexTicked(value), note);
    }
}

/// The environment as the process has it in its memory, when the dump says nothing of it: the
/// strings above the auxiliary vector are not found again without help, so only the list counts.
void printEnvironment(CommandCall& call) {
    const Process& process = call.session.process();
    if (process.environment.empty()) {
        call.out.write("    Environment:      not recorded in this dump\n");
        return;
    }
    call.out.write("    Environment:\n");
    for (const std::string& variable : process.environment)
        call.out.print("        {}\n", printable(variable));
}

}  // namespace

Result<void> processEnvironment(CommandCall& call) {
    TRY(call.arguments.finish());
    const Process& process = call.session.process();
    if (process.system.os == Os::windows) return windowsProcessEnvironment(call);
    call.out.print("PEB: {} has none; what it would hold:\n", toString(process.system.os));
    const auto field = [&](std::string_view label, const std::string& value) {
        if (!value.empty()) call.out.print("    {:<17} {}\n", label, printable(value));
    };
    if (const auto entry = process.auxvValue(elf::auxEntry)) {
        if (const Module* module = process.moduleAt(*entry))
            field("ImageBaseAddress:", addressText(call.session, module->range.begin()));
    }
    field("ImageFile:", process.executable);
    std::string command;
    for (const std::string& argument : process.commandLine) {
        if (!command.empty()) command += ' ';
        command += argument.find(' ') == std::string::npos && !argument.empty()
                       ? argument
                       : fmt::format("'{}'", argument);
    }
    field("CommandLine:", command.empty() ? "not recorded in this dump" : command);
    field("CurrentDirectory:", process.workingDirectory);
    field("ProcessId:",
          fmt::format("{:x} ({}), parent {}", process.pid, process.pid, process.parentPid));
    if (process.uid)
        field("User:", fmt::format("uid {}, gid {}", *process.uid, process.gid.value_or(0)));
    call.out.write("    Modules:\n");
    for (const Module& module : process.modules) {
        call.out.print("        {} {}\n", addressText(call.session, module.range.begin()),
                       printable(module.path));
    }
    printEnvironment(call);
    printAuxiliary(call);
    return {};
}

Result<void> threadEnvironment(CommandCall& call) {
    Session& session = call.session;
    const Thread* thread = session.thread();
    if (thread == nullptr) return fail(Errc::not_found, "the dump has no threads");
    std::optional<std::uint64_t> base = thread->tls;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(base, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    if (session.process().system.os == Os::windows) {
        if (!base) return fail(Errc::not_found, "the dump does not tell where the thread's TEB is");
        return windowsThreadEnvironment(call, *base);
    }
    call.out.print("TEB at {} (the thread pointer: Linux has a thread control block there)\n",
                   base ? addressText(session, *base) : unknownAddressText(session));
    call.out.print("    ClientId:             {:x} . {:x}\n", session.process().pid, thread->id);
    if (!thread->name.empty())
        call.out.print("    Name:                 {}\n", printable(thread->name));
    if (thread->stack) {
        call.out.print("    StackBase:            {}\n    StackLimit:           {}\n",
                       addressText(session, thread->stack->end()),
                       addressText(session, thread->stack->begin()));
    }
    if (!base || session.arch() != Arch::x86_64) return {};
    // glibc and musl agree on these on x86-64 (glibc: tcbhead_t in sysdeps/x86_64/nptl/tls.h).
    struct Field {
        std::string_view label;
        std::uint64_t offset;
    };
    constexpr std::array<Field, 5> fields = {{{"Self:", 0x10},
                                              {"ThreadLocalVector:", 0x8},
                                              {"StackGuard:", 0x28},
                                              {"PointerGuard:", 0x30},
                                              {"Tcb:", 0x0}}};
    for (const Field& field : fields) {
        const auto value = session.memory().readInteger<std::uint64_t>(*base + field.offset);
        call.out.print("    {:<21} {}\n", field.label,
                       value ? hexTicked(*value) : unknownAddressText(session));
    }
    return {};
}

}  // namespace icecore::debugger
