#include "analysis/blame.h"

#include "analysis/skip_rules.h"

namespace icecore {

Blame findBlame(const NamedStack& stack, std::size_t first) {
    Blame blame;
    std::optional<std::size_t> fallback;
    for (std::size_t i = first; i < stack.frames.size(); ++i) {
        const NamedFrame& frame = stack.frames[i];
        if (!whyNotResponsible(frame)) {
            blame.frame = i;
            blame.certainRules = true;
            return blame;
        }
        ++blame.skipped;
        if (!fallback && !frame.signalFrame && (frame.module != nullptr || !frame.function.empty()))
            fallback = i;
    }
    blame.frame = fallback;
    blame.skipped = 0;  // it is one of them
    if (!blame.frame && first < stack.frames.size()) blame.frame = first;
    return blame;
}

std::size_t blameStart(const NamedStack& stack, bool endedItself) {
    if (!endedItself) return 0;
    for (std::size_t i = 0; i + 1 < stack.frames.size(); ++i) {
        if (stack.frames[i].signalFrame) return i + 1;
    }
    return 0;
}

}  // namespace icecore
