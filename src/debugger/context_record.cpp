#include "debugger/context_record.h"

#include <fmt/format.h>

#include <array>

#include "arch/windows_context.h"
#include "base/text.h"
#include "bytes/endian.h"

namespace icecore::debugger {

namespace {

// struct ucontext: flags, link, stack_t (8 + 8 + 24 bytes), then the registers.
constexpr std::uint64_t x64RegistersOffset = 40;
constexpr std::array<RegisterId, 18> x64Order = {
    x64::r8,  x64::r9,  x64::r10, x64::r11, x64::r12, x64::r13, x64::r14, x64::r15, x64::rdi,
    x64::rsi, x64::rbp, x64::rbx, x64::rdx, x64::rax, x64::rcx, x64::rsp, x64::rip, x64::eflags};
// arm64: the same head, 128 bytes for the signal mask, aligned to 16; then the fault address.
constexpr std::uint64_t arm64RegistersOffset = 176 + 8;
constexpr std::size_t arm64Count = 34;  // x0 … x30, sp, pc, pstate

template <std::size_t Count>
Result<std::array<std::uint64_t, Count>> readWords(const Session& session, std::uint64_t address) {
    std::array<std::byte, Count * 8> raw{};
    TRY(session.process().memory->readExactly(address, raw));
    std::array<std::uint64_t, Count> words{};
    for (std::size_t i = 0; i < Count; ++i)
        words[i] = loadInteger<std::uint64_t>(raw.data() + i * 8);
    return words;
}

}  // namespace

namespace {

Result<Registers> windowsRegisters(const Session& session, std::uint64_t address) {
    // winnt.h: 716 bytes on x86, 1232 on x64, 912 on ARM64; what lies behind is state of vectors.
    constexpr std::size_t longest = 1232, x86Size = 716, arm64Size = 912, armSize = 416;
    const Arch arch = session.arch();
    const std::size_t size = arch == Arch::x86_64  ? longest
                             : arch == Arch::arm64 ? arm64Size
                             : arch == Arch::arm   ? armSize
                                                   : x86Size;
    std::array<std::byte, longest> raw{};
    TRY(session.memory().readExactly(address, std::span(raw).first(size)));
    ASSIGN_OR_RETURN(
        const Context context,
        icecore::readWindowsContext(ByteView(std::span(raw).first(size), "CONTEXT"), arch));
    if (context.registers.arch() != arch || !context.registers.has(archInfo(arch).pc)) {
        return fail(Errc::malformed, fmt::format("there is no CONTEXT at {}: its flags name no "
                                                 "registers",
                                                 hexTicked(address)));
    }
    return context.registers;
}

}  // namespace

Result<Registers> readUserContext(const Session& session, std::uint64_t address) {
    if (session.process().system.os == Os::windows) return windowsRegisters(session, address);
    Registers registers(session.arch());
    if (session.arch() == Arch::x86_64) {
        ASSIGN_OR_RETURN(const auto words,
                         readWords<x64Order.size() + 1>(session, address + x64RegistersOffset));
        for (std::size_t i = 0; i < x64Order.size(); ++i)
            registers.set(x64Order[i], words[i]);
        // cs, gs, fs, ss: sixteen bits each.
        registers.set(x64::cs, words[18] & 0xffffU);
        registers.set(x64::gs, words[18] >> 16U & 0xffffU);
        registers.set(x64::fs, words[18] >> 32U & 0xffffU);
        registers.set(x64::ss, words[18] >> 48U);
        return registers;
    }
    if (session.arch() == Arch::arm64) {
        ASSIGN_OR_RETURN(const auto words,
                         readWords<arm64Count>(session, address + arm64RegistersOffset));
        for (std::size_t i = 0; i < arm64Count; ++i)
            registers.set(static_cast<RegisterId>(i), words[i]);
        return registers;
    }
    return fail(Errc::unsupported,
                fmt::format("context records of {} are not known", toString(session.arch())));
}

}  // namespace icecore::debugger
