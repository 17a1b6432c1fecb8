// Makes sure that a walk ends: each step goes up the stack, or to a stack it has not been on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/range.h"
#include "unwind/frame_finder.h"

namespace icecore {

/// Bookkeeping of one walk.
class WalkProgress {
public:
    explicit WalkProgress(std::uint64_t sp) : stackBegan_(sp) {}

    /// Whether going from `frame` by `step` is progress; remembers it when it is.
    ///
    /// The caller's stack pointer must lie above the frame's. Exceptions: on architectures with a
    /// link register a leaf may have no stack at all (twice in a row, since outlined pieces of
    /// functions have none either); and a signal frame or unwind information may lead to another
    /// stack (sigaltstack, split stacks), when `otherStack` says so, which then must not be one
    /// that this walk has been on. At most 64 such changes.
    [[nodiscard]] bool accept(const WalkFrame& frame, const Step& step, bool otherStack);

private:
    static constexpr std::size_t mostStacks = 64;
    static constexpr int mostWithoutStack = 2;

    std::uint64_t stackBegan_;
    int withoutStack_ = 0;
    std::vector<Range> visited_;
};

}  // namespace icecore
