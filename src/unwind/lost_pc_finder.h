// The caller of a jump into nothing.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// For an innermost frame whose pc is not code (a call through a null or wild pointer): the call
/// has just been made, so the return address is on top of the stack or in the link register. It
/// counts only when a call stands before it.
class LostPcFinder final : public FrameFinder {
public:
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;
};

}  // namespace icecore
