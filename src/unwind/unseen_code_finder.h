// Callers whose code is not in the dump nor in a file that is at hand.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// Minidumps hold no code. Where the modules' files cannot be had either, no call can be seen
/// before a return address: then a frame record, and else the first word of the stack that leads
/// into such a module, are taken for what they look like. Asked last; its frames are guesses and
/// say so.
class UnseenCodeFinder final : public FrameFinder {
public:
    /// Without `scan` only frame records are followed.
    explicit UnseenCodeFinder(bool scan) : scan_(scan) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    bool scan_;
};

}  // namespace icecore
