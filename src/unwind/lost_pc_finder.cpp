#include "unwind/lost_pc_finder.h"

namespace icecore {

Step LostPcFinder::find(const WalkFrame& frame, Walk& walk) const {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    if (!frame.innermost || walk.code.executable(frame.pc()) == CodeMap::Executable::yes) return {};

    std::optional<std::uint64_t> returnAddress;
    std::uint64_t sp = frame.sp();
    if (info.lr) {
        returnAddress = frame.registers.get(*info.lr);
    } else {
        returnAddress = walk.word(sp, arch);
        if (!returnAddress) return Step::unreadable(sp);
        sp += info.pointerSize;
    }
    if (!returnAddress) return {};
    const std::uint64_t pc = stripPointer(arch, *returnAddress);
    if (!walk.code.callBefore(arch, pc)) return {};
    // Nothing has run since the call: every register still holds the caller's value.
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::scan;
    step.caller = frame.registers;
    step.caller.set(info.pc, pc);
    step.caller.set(info.sp, sp);
    return step;
}

}  // namespace icecore
