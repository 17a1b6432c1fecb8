#include "memory/segment_space.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "bytes/imperfect.h"
#include "bytes/sparse.h"

namespace icecore {

namespace {

using Segment = SegmentSpaceBuilder::Segment;

class SegmentSpace final : public AddressSpace {
public:
    SegmentSpace(std::shared_ptr<const Source> source, RangeMap<Segment> map)
        : source_(std::move(source)), map_(std::move(map)) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const auto at = checkedAdd(address, done);
            const auto* entry = at ? map_.find(*at) : nullptr;
            if (entry == nullptr) return {done, Absence::not_mapped};
            const Segment& segment = entry->value;
            if (segment.absence != Absence::none) return {done, segment.absence};
            const auto count = static_cast<std::size_t>(
                std::min<std::uint64_t>(out.size() - done, entry->range.end() - *at));
            const auto piece = out.subspan(done, count);
            if (segment.zero) {
                std::ranges::fill(piece, std::byte{0});
                done += count;
                continue;
            }
            const auto got = source_->read(segment.offset + (*at - entry->range.begin()), piece);
            if (!got) return {done, Absence::unreadable};
            done += *got;
            if (*got < count) return {done, Absence::truncated};
        }
        return {done, Absence::none};
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> result;
        for (const auto* entry = map_.findAtOrAfter(within.begin());
             entry != nullptr && entry != map_.entries().data() + map_.size() &&
             entry->range.begin() < within.end();
             ++entry) {
            const Extent extent{entry->range.intersect(within), entry->value.absence,
                                entry->value.zero};
            const bool joins =
                !result.empty() && result.back().range.end() == extent.range.begin() &&
                result.back().absence == extent.absence && result.back().zero == extent.zero;
            if (joins) {
                result.back().range =
                    Range::between(result.back().range.begin(), extent.range.end());
            } else if (!extent.range.empty()) {
                result.push_back(extent);
            }
        }
        return result;
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const auto* entry = map_.find(address);
        if (entry == nullptr) return "nothing in this dump at " + hex(address);
        if (entry->value.absence != Absence::none)
            return hex(address) + " is " + std::string(toString(entry->value.absence));
        if (entry->value.zero) return hex(address) + " is zero, known without being stored";
        return source_->where(entry->value.offset + (address - entry->range.begin()));
    }

    [[nodiscard]] std::span<const std::byte> window(std::uint64_t address) const override {
        const auto* entry = map_.find(address);
        const auto mapped = source_->mapped();
        if (entry == nullptr || mapped.empty()) return {};
        const Segment& segment = entry->value;
        if (segment.absence != Absence::none || segment.zero) return {};
        const std::uint64_t inside = address - entry->range.begin();
        return mapped.subspan(static_cast<std::size_t>(segment.offset + inside),
                              static_cast<std::size_t>(entry->range.size() - inside));
    }

private:
    std::shared_ptr<const Source> source_;
    RangeMap<Segment> map_;
};

}  // namespace

void SegmentSpaceBuilder::addMissing(Range range, std::uint64_t offset) {
    for (const Range& missing : missingRanges(*source_)) {
        const Range part = Range::ofSize(offset, range.size()).intersect(missing);
        if (!part.empty())
            addAbsent(Range::ofSize(range.begin() + (part.begin() - offset), part.size()),
                      Absence::truncated);
    }
}

void SegmentSpaceBuilder::addStored(Range range, std::uint64_t offset) {
    addMissing(range, offset);
    const std::uint64_t size = source_->size();
    const std::uint64_t left = offset < size ? size - offset : 0;
    const std::uint64_t stored = std::min(range.size(), left);
    const std::uint64_t cut = range.begin() + stored;
    map_.add(Range::between(range.begin(), cut), {offset, Absence::none, false});
    map_.add(Range::between(cut, range.end()), {0, Absence::truncated, false});
}

void SegmentSpaceBuilder::addSparse(Range range, std::uint64_t offset) {
    // Segments may all claim the same part of a file that is full of holes.
    constexpr std::size_t mostHoles = 500'000;
    if (!data_) data_ = dataRanges(*source_);
    const std::uint64_t end =
        std::min(checkedAdd(offset, range.size()).value_or(source_->size()), source_->size());
    std::uint64_t at = offset;
    const auto inMemory = [&](std::uint64_t from, std::uint64_t to) {
        return Range::between(range.begin() + (from - offset), range.begin() + (to - offset));
    };
    const auto rest = [&] { return Range::between(range.begin() + (at - offset), range.end()); };
    auto data = std::ranges::upper_bound(*data_, offset, {}, &Range::end);
    for (; data != data_->end() && data->begin() < end; ++data, ++holes_) {
        if (holes_ == mostHoles) return addStored(rest(), at);
        const Range part = data->intersect(Range::between(offset, end));
        addHole(inMemory(at, part.begin()), at);
        addStored(inMemory(part.begin(), part.end()), part.begin());
        at = part.end();
    }
    if (at < end) {
        addHole(inMemory(at, end), at);
        at = end;
    }
    addStored(rest(), at);
}

/// Where a part of the source is missing, nothing is known to be zero.
void SegmentSpaceBuilder::addHole(Range range, std::uint64_t offset) {
    addMissing(range, offset);
    addZero(range);
}

void SegmentSpaceBuilder::addZero(Range range) {
    map_.add(range, {0, Absence::none, true});
}

void SegmentSpaceBuilder::addAbsent(Range range, Absence why) {
    map_.add(range, {0, why, false});
}

std::shared_ptr<const AddressSpace> SegmentSpaceBuilder::build(std::size_t* overlaps) {
    const std::size_t cut =
        map_.seal([](Segment& segment, std::uint64_t bytes) { segment.offset += bytes; });
    if (overlaps != nullptr) *overlaps = cut;
    return std::make_shared<SegmentSpace>(source_, std::move(map_));
}

}  // namespace icecore
