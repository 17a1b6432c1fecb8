// Whose frame it is.
#pragma once

#include <optional>

#include "analysis/crash_case.h"

namespace icecore {

struct Blame {
    std::optional<std::size_t> frame;  ///< index into the named frames
    bool certainRules = false;         ///< false when every frame was to be passed over
    std::size_t skipped = 0;           ///< frames passed over above it
    bool proven = false;               ///< more certain than how the frame was found
};

/// The first frame from `first` on that is not passed over by the skip rules. When none is left the
/// first frame that has a name or a module, and when there is none either the first.
Blame findBlame(const NamedStack& stack, std::size_t first = 0);

/// Where to begin: behind the innermost signal handler when the thread ended itself inside one
/// (what it was doing when the signal came is the story, not the handler), else 0.
std::size_t blameStart(const NamedStack& stack, bool endedItself);

}  // namespace icecore
