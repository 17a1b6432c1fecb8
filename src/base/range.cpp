#include "base/range.h"

namespace icecore {

namespace {
/// First range whose end is above `address` (or at it, when `touching`).
auto firstEndingAfter(const std::vector<Range>& ranges, std::uint64_t address, bool touching) {
    return std::partition_point(ranges.begin(), ranges.end(), [&](const Range& range) {
        return touching ? range.end() < address : range.end() <= address;
    });
}
}  // namespace

void RangeSet::add(Range range) {
    if (range.empty()) return;
    if (ranges_.empty() || ranges_.back().end() < range.begin()) {  // ascending input: no search
        ranges_.push_back(range);
        return;
    }
    const auto first = firstEndingAfter(ranges_, range.begin(), true);
    auto last = first;
    std::uint64_t begin = range.begin();
    std::uint64_t end = range.end();
    while (last != ranges_.end() && last->begin() <= end) {
        begin = std::min(begin, last->begin());
        end = std::max(end, last->end());
        ++last;
    }
    const auto at = ranges_.erase(first, last);
    ranges_.insert(at, Range::between(begin, end));
}

void RangeSet::subtract(Range range) {
    if (range.empty()) return;
    const auto first = firstEndingAfter(ranges_, range.begin(), false);
    std::vector<Range> rest;
    auto last = first;
    while (last != ranges_.end() && last->begin() < range.end()) {
        if (last->begin() < range.begin())
            rest.push_back(Range::between(last->begin(), range.begin()));
        if (last->end() > range.end()) rest.push_back(Range::between(range.end(), last->end()));
        ++last;
    }
    const auto at = ranges_.erase(first, last);
    ranges_.insert(at, rest.begin(), rest.end());
}

bool RangeSet::contains(std::uint64_t address) const {
    const auto at = firstEndingAfter(ranges_, address, false);
    return at != ranges_.end() && at->contains(address);
}

bool RangeSet::contains(Range range) const {
    if (range.empty()) return true;
    const auto at = firstEndingAfter(ranges_, range.begin(), false);
    return at != ranges_.end() && at->contains(range);
}

std::vector<Range> RangeSet::within(Range range) const {
    std::vector<Range> parts;
    for (auto at = firstEndingAfter(ranges_, range.begin(), false);
         at != ranges_.end() && at->begin() < range.end(); ++at) {
        if (const Range part = at->intersect(range); !part.empty()) parts.push_back(part);
    }
    return parts;
}

std::vector<Range> RangeSet::missing(Range range) const {
    std::vector<Range> gaps;
    std::uint64_t position = range.begin();
    for (const Range& part : within(range)) {
        if (part.begin() > position) gaps.push_back(Range::between(position, part.begin()));
        position = part.end();
    }
    if (position < range.end()) gaps.push_back(Range::between(position, range.end()));
    return gaps;
}

std::uint64_t RangeSet::bytes() const {
    std::uint64_t total = 0;
    for (const Range& range : ranges_)
        total += range.size();
    return total;
}

}  // namespace icecore
