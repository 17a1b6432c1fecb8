// Callers by looking through the stack for return addresses: the last resort.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// The first word from the stack pointer on that a call stands before, where that call can have
/// led to the frame's function. Stays inside the stack and a bounded window.
class ScanFinder final : public FrameFinder {
public:
    /// With `onlySure` the call must go directly to the frame's function: such a word counts even
    /// against a plausible frame pointer.
    explicit ScanFinder(bool onlySure) : onlySure_(onlySure) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    bool onlySure_;
};

}  // namespace icecore
