#include "unwind/frame_finder.h"

namespace icecore {

namespace {

bool sameForWholeThread(Arch arch, RegisterId reg) {
    switch (arch) {
    case Arch::x86_64: return (reg >= x64::cs && reg <= x64::gs_base);
    case Arch::x86: return (reg >= x86::cs && reg <= x86::gs);
    case Arch::arm64: return reg == arm64::tpidr;
    default: return false;
    }
}

bool calleeSaved(const ArchInfo& info, RegisterId reg, bool windows) {
    for (const RegisterId each : windows ? info.calleeSavedOnWindows : info.calleeSaved) {
        if (each == reg) return true;
    }
    return false;
}

}  // namespace

void keepPreserved(Registers& registers, Os os) {
    const ArchInfo& info = archInfo(registers.arch());
    for (std::size_t i = 0; i < info.registers.size(); ++i) {
        const auto reg = static_cast<RegisterId>(i);
        if (reg == info.pc || reg == info.sp || reg == info.fp ||
            calleeSaved(info, reg, os == Os::windows) || sameForWholeThread(registers.arch(), reg))
            continue;
        registers.forget(reg);
    }
}

Step guessedCaller(const WalkFrame& frame, Trust trust, std::uint64_t pc, std::uint64_t sp,
                   std::optional<std::uint64_t> fp) {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = trust;
    step.caller = Registers(arch);
    for (std::size_t i = 0; i < info.registers.size(); ++i) {
        const auto reg = static_cast<RegisterId>(i);
        if (sameForWholeThread(arch, reg) && frame.registers.has(reg))
            step.caller.set(reg, frame.registers.valueOr0(reg));
    }
    step.caller.set(info.pc, stripPointer(arch, pc));
    step.caller.set(info.sp, sp);
    if (fp) step.caller.set(info.fp, *fp);
    return step;
}

}  // namespace icecore
