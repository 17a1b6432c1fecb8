// Callers of frames without unwind information, by their function's first instructions.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// Where the function's start is known (symbols): has it already saved its return address, made a
/// frame record, or come to its return instruction? That tells where the return address is now. It
/// counts when the call before it can have led to the function.
class PrologueFinder final : public FrameFinder {
public:
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;
};

}  // namespace icecore
