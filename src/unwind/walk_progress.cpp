#include "unwind/walk_progress.h"

#include <algorithm>

namespace icecore {

bool WalkProgress::accept(const WalkFrame& frame, const Step& step, bool otherStack) {
    const ArchInfo& info = archInfo(frame.registers.arch());
    const std::uint64_t from = frame.sp();
    const std::uint64_t to = step.caller.sp();
    const bool changesStack = step.trust <= Trust::cfi && otherStack;
    if (!changesStack) {
        if (to > from) {
            withoutStack_ = 0;
            return true;
        }
        const bool mayHaveNone = info.lr || step.fromSignalFrame;
        return to == from && mayHaveNone && step.caller.pc() != frame.pc() &&
               ++withoutStack_ <= mostWithoutStack;
    }
    // The stack so far, the frame's own word included.
    visited_.push_back(Range::between(stackBegan_, std::max(stackBegan_, from) + 1));
    const bool known =
        std::ranges::any_of(visited_, [&](const Range& stack) { return stack.contains(to); });
    if (known || visited_.size() > mostStacks) return false;
    stackBegan_ = to;
    withoutStack_ = 0;
    return true;
}

}  // namespace icecore
