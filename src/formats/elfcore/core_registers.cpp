#include "formats/elfcore/core_registers.h"

#include <array>

namespace icecore::elfcore {

namespace {

// Linux, arch/x86/include/asm/user_64.h: struct user_regs_struct.
constexpr std::array<RegisterId, 27> slotsX64 = {
    x64::r15,     x64::r14,      x64::r13, x64::r12, x64::rbp,    x64::rbx, x64::r11,
    x64::r10,     x64::r9,       x64::r8,  x64::rax, x64::rcx,    x64::rdx, x64::rsi,
    x64::rdi,     x64::orig_rax, x64::rip, x64::cs,  x64::eflags, x64::rsp, x64::ss,
    x64::fs_base, x64::gs_base,  x64::ds,  x64::es,  x64::fs,     x64::gs,
};
// Linux, arch/x86/include/asm/user_32.h.
constexpr std::array<RegisterId, 17> slotsX86 = {
    x86::ebx, x86::ecx, x86::edx,      x86::esi, x86::edi, x86::ebp,    x86::eax, x86::ds, x86::es,
    x86::fs,  x86::gs,  x86::orig_eax, x86::eip, x86::cs,  x86::eflags, x86::esp, x86::ss,
};
// Linux, arch/arm64/include/uapi/asm/ptrace.h: struct user_pt_regs.
constexpr std::array<RegisterId, 34> slotsArm64 = {
    0,  1,  2,  3,  4,  5,         6,         7,         8,         9,           10, 11,
    12, 13, 14, 15, 16, 17,        18,        19,        20,        21,          22, 23,
    24, 25, 26, 27, 28, arm64::fp, arm64::lr, arm64::sp, arm64::pc, arm64::cpsr,
};
// Linux, arch/arm/include/uapi/asm/ptrace.h; the last slot is the first argument of a system call.
constexpr std::array<RegisterId, 18> slotsArm = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, arm::sp, arm::lr, arm::pc, arm::cpsr, noRegister,
};

}  // namespace

std::span<const RegisterId> registerSlots(Arch arch) {
    switch (arch) {
    case Arch::x86_64: return slotsX64;
    case Arch::x86: return slotsX86;
    case Arch::arm64: return slotsArm64;
    case Arch::arm: return slotsArm;
    case Arch::unknown: return {};
    }
    return {};
}

std::size_t registerBytes(Arch arch) {
    return registerSlots(arch).size() * archInfo(arch).pointerSize;
}

Registers readRegisters(Cursor& cursor, Arch arch) {
    Registers registers(arch);
    for (const RegisterId id : registerSlots(arch)) {
        const std::uint64_t value = cursor.unsignedOf(archInfo(arch).pointerSize);
        if (id != noRegister) registers.set(id, value);
    }
    return cursor.ok() ? registers : Registers(arch);
}

void appendRegisters(std::vector<std::byte>& out, const Registers& registers) {
    const Arch arch = registers.arch();
    for (const RegisterId id : registerSlots(arch)) {
        const std::uint64_t value = id == noRegister ? 0 : registers.valueOr0(id);
        if (archInfo(arch).pointerSize == 8)
            appendInteger(out, value);
        else
            appendInteger(out, static_cast<std::uint32_t>(value));
    }
}

}  // namespace icecore::elfcore
