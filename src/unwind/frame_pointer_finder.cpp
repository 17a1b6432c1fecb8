#include "unwind/frame_pointer_finder.h"

namespace icecore {

namespace {

/// Whether `pc` lies in executable memory of no module, whose bytes are not in the dump: code that
/// a program made at run time.
bool isHiddenCode(const Walk& walk, Arch arch, std::uint64_t pc) {
    return walk.code.executable(pc) == CodeMap::Executable::yes &&
           walk.code.process().moduleAt(pc) == nullptr && !walk.code.callBefore(arch, pc) &&
           !walk.code.surelyNotCalled(arch, pc);
}

}  // namespace

Step FramePointerFinder::find(const WalkFrame& frame, Walk& walk) const {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    const std::uint64_t size = info.pointerSize;
    const auto fp = frame.registers.get(info.fp);
    if (!fp || *fp % size != 0 || *fp < frame.sp()) return {};
    if (!walk.stack.contains(Range::ofSize(*fp, 2 * size))) return {};
    const auto savedFp = walk.word(*fp, arch);
    const auto savedPc = walk.word(*fp + size, arch);
    if (!savedFp || !savedPc) return {};
    // In the innermost frame the register may be anything: zeros there are no end of a stack.
    const bool zeros = *savedPc == 0 && *savedFp == 0 && frame.pcIsReturnAddress;
    if (zeros && atLeast_ != CodeMap::Leads::surely && !hiddenOnly_) return Step::outermost();

    const std::uint64_t pc = stripPointer(arch, *savedPc);
    if (hiddenOnly_) {
        const bool chains = *savedFp > *fp && *savedFp % size == 0 && walk.stack.contains(*savedFp);
        if ((!chains && *savedFp != 0) || !isHiddenCode(walk, arch, pc)) return {};
        return guessedCaller(frame, Trust::frame_pointer, pc, *fp + 2 * size, savedFp);
    }
    const auto call = walk.code.callBefore(arch, pc);
    if (!call) return {};
    if (walk.code.leadsTo(arch, *call, frame.lookupPc()) < atLeast_) return {};
    return guessedCaller(frame, Trust::frame_pointer, pc, *fp + 2 * size, savedFp);
}

}  // namespace icecore
