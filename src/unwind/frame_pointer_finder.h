// Callers by the chain of frame pointers, for code without unwind information.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// The frame record at the frame pointer: the caller's frame pointer and the return address. The
/// record must lie in the stack, not below the stack pointer, and a call must stand before the
/// return address. A frame pointer of zero whose return address is zero, too, ends the stack.
class FramePointerFinder final : public FrameFinder {
public:
    /// `atLeast`: how surely the call must lead to the frame's function. Functions without a frame
    /// of their own leave their caller's frame pointer in place; following it would skip the
    /// caller, and its call would be one of the caller.
    /// `hiddenOnly`: only callers whose code is not in the dump and belongs to no module (compiled
    /// at run time): no call can be seen there, so that the record itself must make sense.
    explicit FramePointerFinder(CodeMap::Leads atLeast, bool hiddenOnly = false)
        : atLeast_(atLeast), hiddenOnly_(hiddenOnly) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    CodeMap::Leads atLeast_;
    bool hiddenOnly_;
};

}  // namespace icecore
