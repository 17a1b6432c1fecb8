#include "monitor/watch_plan.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace icecore::monitor {

namespace {

bool matches(std::string_view text, const std::string& pattern) {
    if (pattern.find_first_of("*?") != std::string::npos) return matchesWildcard(text, pattern);
    return matchesWildcard(text, "*" + pattern + "*");
}

}  // namespace

bool passesFilters(const WatchPlan& plan, std::string_view text) {
    const auto hits = [text](const std::string& pattern) { return matches(text, pattern); };
    if (std::ranges::any_of(plan.exclude, hits)) return false;
    return plan.include.empty() || std::ranges::any_of(plan.include, hits);
}

std::string_view kindOf(const Trigger& trigger) {
    // In the order of the variant's alternatives.
    static constexpr auto names = std::to_array<std::string_view>(
        {"cpu", "commit", "thread", "filedesc", "perfcounter", "hang", "hang", "exit", "exception",
         "signal", "output", "module", "thread", "time"});
    static_assert(names.size() == std::variant_size_v<Trigger>);
    return names.at(trigger.index());
}

}  // namespace icecore::monitor
