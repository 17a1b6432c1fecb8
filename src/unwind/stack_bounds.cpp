#include "unwind/stack_bounds.h"

#include <algorithm>

namespace icecore {

namespace {

/// How far below a stack an overflowing function may have moved the stack pointer.
constexpr std::uint64_t overflowReach = std::uint64_t{1} << 20;

bool usable(const Region& region) {
    return region.protection.read && region.protection.write;
}

}  // namespace

Range stackFrom(const Process& process, std::uint64_t sp, std::optional<Range> hint) {
    if (hint && hint->contains(sp)) return Range::between(sp, hint->end());
    const auto& regions = process.regions.items;
    auto next = std::upper_bound(
        regions.begin(), regions.end(), sp,
        [](std::uint64_t address, const Region& region) { return address < region.range.end(); });
    if (next != regions.end() && next->range.contains(sp) && usable(*next))
        return Range::between(sp, next->range.end());
    // Not in writable memory: the next writable region above, across guard pages only.
    for (; next != regions.end() && next->range.begin() < Range::ofSize(sp, overflowReach).end();
         ++next) {
        if (usable(*next)) return next->range;
        if (next->protection.read) break;  // a file or code: not a guard
    }
    if (!regions.empty()) return {};
    for (const Extent& extent : process.memory->extents(Range::ofSize(sp, overflowReach))) {
        if (extent.absence == Absence::none && extent.range.contains(sp))
            return Range::between(sp, extent.range.end());
    }
    return {};
}

}  // namespace icecore
