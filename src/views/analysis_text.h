// The verdict for a person at a terminal.
#pragma once

#include <optional>
#include <string>

#include "analysis/analysis.h"

namespace icecore {

struct TextStyle {
    bool color = false;     ///< ANSI colours
    std::size_t width = 0;  ///< columns to wrap and shorten to; 0: no limit
    /// Only this thread's stack.
    std::optional<std::uint64_t> thread;
    std::size_t frames = 64;  ///< per stack; what is cut is counted
};

/// The whole report: verdict, exception, stacks (the crashed thread first, others grouped),
/// findings, modules, issues. Text from the dump is made safe for a terminal.
std::string analysisText(const Snapshot& snapshot, const Analysis& analysis,
                         const TextStyle& style);

}  // namespace icecore
