#include "formats/aff4/map_entries.h"

#include <algorithm>

namespace icecore::aff4 {

void MapEntries::add(Range range, std::uint32_t target, std::uint64_t offset) {
    if (entries_.size() > joinsFrom_) {
        MapEntry& last = entries_.back();
        const bool joins = last.target == target && last.mapOffset + last.length == range.begin() &&
                           last.targetOffset + last.length == offset;
        if (joins) {
            last.length = last.length + range.size();
            return;
        }
    }
    MapEntry entry{};
    entry.mapOffset = range.begin();
    entry.length = range.size();
    entry.targetOffset = offset;
    entry.target = target;
    entries_.push_back(entry);
}

void MapEntries::sort() {
    std::ranges::sort(entries_, {},
                      [](const MapEntry& entry) { return std::uint64_t{entry.mapOffset}; });
}

std::vector<MapEntry> MapEntries::nextPart(std::uint64_t streamSize) {
    const auto endOf = [](const MapEntry& entry) { return entry.mapOffset + entry.length; };
    while (partEntry_ < entries_.size() && endOf(entries_[partEntry_]) <= partBegin_)
        ++partEntry_;
    std::vector<MapEntry> part;
    for (const MapEntry& whole : std::span(entries_).subspan(partEntry_)) {
        MapEntry entry = whole;
        const std::uint64_t had =
            std::max<std::uint64_t>(partBegin_, entry.mapOffset) - entry.mapOffset;
        entry.mapOffset = entry.mapOffset + had;
        entry.targetOffset = entry.targetOffset + had;
        entry.length = entry.length - had;
        if (entry.target == dataStream) {
            if (entry.targetOffset >= streamSize) break;
            entry.length = std::min<std::uint64_t>(entry.length, streamSize - entry.targetOffset);
        }
        part.push_back(entry);
    }
    while (!part.empty() && part.back().target != dataStream)
        part.pop_back();
    if (!part.empty()) partBegin_ = endOf(part.back());
    return part;
}

}  // namespace icecore::aff4
