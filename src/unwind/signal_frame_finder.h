// Callers of signal trampolines, by the kernel's own frame on the stack.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// Knows a trampoline by its instructions ("call rt_sigreturn") and reads the registers that the
/// kernel saved. Needed where a trampoline has no CFI (musl, Go, emulators) and on arm64, where the
/// kernel's CFI leads to the interrupted function's link register instead of its pc.
class SignalFrameFinder final : public FrameFinder {
public:
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;
};

}  // namespace icecore
