#include "unwind/frame_pointer_finder.h"

namespace icecore {

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
    if (*savedPc == 0 && *savedFp == 0 && atLeast_ != CodeMap::Leads::surely)
        return Step::outermost();

    const std::uint64_t pc = stripPointer(arch, *savedPc);
    const auto call = walk.code.callBefore(arch, pc);
    if (!call) return {};
    if (walk.code.leadsTo(arch, *call, frame.lookupPc()) < atLeast_) return {};
    return guessedCaller(frame, Trust::frame_pointer, pc, *fp + 2 * size, savedFp);
}

}  // namespace icecore
