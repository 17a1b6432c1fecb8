#include "debugger/register_text.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>

#include "base/text.h"
#include "debugger/code_text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

struct Flag {
    unsigned bit;
    std::string_view set, clear;
};
constexpr std::array<Flag, 8> flags = {{{11, "ov", "nv"},
                                        {10, "dn", "up"},
                                        {9, "ei", "di"},
                                        {7, "ng", "pl"},
                                        {6, "zr", "nz"},
                                        {4, "ac", "na"},
                                        {2, "pe", "po"},
                                        {0, "cy", "nc"}}};

std::string digits(const Registers& registers, RegisterId id, int count) {
    const auto value = registers.get(id);
    return value ? hexDigits(*value, count) : std::string(static_cast<std::size_t>(count), '?');
}

std::string named(const Registers& registers, std::initializer_list<RegisterId> ids, int count) {
    std::string text;
    const ArchInfo& info = archInfo(registers.arch());
    for (const RegisterId id : ids) {
        if (!text.empty()) text += ' ';
        text += fmt::format("{:>3}={}", info.registers[id].name, digits(registers, id, count));
    }
    return text + "\n";
}

std::string x64Text(const Registers& r) {
    const auto flagsValue = r.get(x64::eflags);
    return named(r, {x64::rax, x64::rbx, x64::rcx}, 16) +
           named(r, {x64::rdx, x64::rsi, x64::rdi}, 16) +
           named(r, {x64::rip, x64::rsp, x64::rbp}, 16) +
           named(r, {x64::r8, x64::r9, x64::r10}, 16) +
           named(r, {x64::r11, x64::r12, x64::r13}, 16) + named(r, {x64::r14, x64::r15}, 16) +
           fmt::format("iopl={}         {}\n",
                       flagsValue ? fmt::format("{}", *flagsValue >> 12U & 3U) : "?",
                       flagsValue ? flagsText(*flagsValue) : "?? ?? ?? ?? ?? ?? ?? ??") +
           fmt::format("cs={}  ss={}  ds={}  es={}  fs={}  gs={}             efl={}\n",
                       digits(r, x64::cs, 4), digits(r, x64::ss, 4), digits(r, x64::ds, 4),
                       digits(r, x64::es, 4), digits(r, x64::fs, 4), digits(r, x64::gs, 4),
                       digits(r, x64::eflags, 8));
}

std::string x86Text(const Registers& r) {
    const auto flagsValue = r.get(x86::eflags);
    return named(r, {x86::eax, x86::ebx, x86::ecx, x86::edx, x86::esi, x86::edi}, 8) +
           fmt::format("eip={} esp={} ebp={} iopl={}         {}\n", digits(r, x86::eip, 8),
                       digits(r, x86::esp, 8), digits(r, x86::ebp, 8),
                       flagsValue ? fmt::format("{}", *flagsValue >> 12U & 3U) : "?",
                       flagsValue ? flagsText(*flagsValue) : "?? ?? ?? ?? ?? ?? ?? ??") +
           fmt::format("cs={}  ss={}  ds={}  es={}  fs={}  gs={}             efl={}\n",
                       digits(r, x86::cs, 4), digits(r, x86::ss, 4), digits(r, x86::ds, 4),
                       digits(r, x86::es, 4), digits(r, x86::fs, 4), digits(r, x86::gs, 4),
                       digits(r, x86::eflags, 8));
}

/// Every register of the table, some to a line: architectures without a tradition of their own.
std::string tableText(const Registers& r, std::size_t perLine) {
    const ArchInfo& info = archInfo(r.arch());
    std::string text;
    for (std::size_t i = 0; i < info.registers.size(); ++i) {
        const RegisterInfo& row = info.registers[i];
        text +=
            fmt::format("{:>5}={}", row.name, digits(r, static_cast<RegisterId>(i), row.size * 2));
        text += i % perLine == perLine - 1 || i + 1 == info.registers.size() ? '\n' : ' ';
    }
    return text;
}

}  // namespace

std::string flagsText(std::uint64_t eflags) {
    std::string text;
    for (const Flag& flag : flags) {
        if (!text.empty()) text += ' ';
        text += (eflags >> flag.bit & 1U) != 0 ? flag.set : flag.clear;
    }
    return text;
}

std::string registerValueText(const Registers& registers, RegisterId id) {
    return digits(registers, id, archInfo(registers.arch()).registers[id].size * 2);
}

std::string registersText(const Session& session, const Registers& registers) {
    switch (session.arch()) {
    case Arch::x86_64: return x64Text(registers);
    case Arch::x86: return x86Text(registers);
    case Arch::arm64: return tableText(registers, 4);
    case Arch::arm: return tableText(registers, 4);
    case Arch::unknown: break;
    }
    return "registers of this architecture are not known\n";
}

namespace {

/// "crash!work+0x5", and of an inlined call "crash!inner+0x5 [inlined in crash!work+0x35]".
std::string placeText(const Session& session, std::uint64_t pc) {
    const Symbolization known = session.symbolizer().symbolize(pc, false);
    std::string outer = symbolOrAddressText(session, pc);
    if (known.frames.empty() || !known.frames.front().inlined) return outer;
    const SymbolFrame& inner = known.frames.front();
    std::string text = moduleText(session, known.module) + "!" + printable(inner.function);
    if (inner.functionOffset != 0) text += fmt::format("+0x{:x}", inner.functionOffset);
    return text + " [inlined in " + outer + "]";
}

}  // namespace

std::string instructionAt(Session& session, const Registers& registers) {
    if (!registers.has(archInfo(registers.arch()).pc)) return {};
    const std::uint64_t pc = registers.pc();
    std::string text = placeText(session, pc) + ":\n";
    CodeReader reader(session);
    CodeLine line = reader.line(pc);
    if (line.instruction) {
        line.text.pop_back();
        line.text += accessText(session, *line.instruction, registers) + "\n";
    }
    return text + line.text;
}

}  // namespace icecore::debugger
