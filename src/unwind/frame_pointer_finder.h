// Callers by the chain of frame pointers, for code without unwind information.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// The frame record at the frame pointer: the caller's frame pointer and the return address. The
/// record must lie in the stack, not below the stack pointer, and a call must stand before the
/// return address. A frame pointer of zero whose return address is zero, too, ends the stack.
class FramePointerFinder final : public FrameFinder {
public:
    /// With `onlySure` the call must be known to lead to the frame's function: for innermost
    /// frames, where the frame pointer may still be the caller's.
    explicit FramePointerFinder(bool onlySure) : onlySure_(onlySure) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    bool onlySure_;
};

}  // namespace icecore
