#include "unwind/pe_finder.h"

namespace icecore {

Step PeFinder::find(const WalkFrame& frame, Walk& walk) const {
    if (walk.code.process().system.os == Os::windows) {
        Step step;
        if (frame.registers.arch() == Arch::x86_64) step = peStepX64(tables_, frame, walk);
        if (frame.registers.arch() == Arch::arm64) step = peStepArm64(tables_, frame, walk);
        if (step.kind != Step::Kind::none) return step;
    }
    return others_.find(frame, walk);
}

}  // namespace icecore
