// Which memory is in the dump, which is not, and the list of regions.
#include <algorithm>

#include "formats/minidump/reading.h"
#include "memory/segment_space.h"

namespace icecore::minidump {

namespace {

Protection protectionOf(std::uint32_t protect) {
    Protection protection;
    const std::uint32_t access = protect & 0xffU;
    protection.execute = access >= protectExecute;
    protection.write = access == protectReadWrite || access == protectWriteCopy ||
                       access == protectExecuteReadWrite || access == protectExecuteWriteCopy;
    protection.read = access != 0 && access != protectNone && access != protectExecute;
    protection.guard = (protect & protectGuard) != 0;
    return protection;
}

Absence absenceOf(std::uint32_t reason) {
    switch (reason) {
    case unreadNotMapped: return Absence::not_mapped;
    case unreadNotCaptured: return Absence::not_captured;
    case unreadTruncated: return Absence::truncated;
    case unreadNotPresent: return Absence::not_present;
    default: return Absence::unreadable;
    }
}

}  // namespace

void readMemoryList(Reading& reading, ByteView content) {
    reading.forEachCounted<MemoryDescriptor>(
        content, "the list of memory", [&](const MemoryDescriptor& raw) {
            reading.memory.push_back({Range::ofSize(raw.start, raw.memory.size), raw.memory.rva});
        });
}

void readMemory64List(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto header = cursor.structure<Memory64Header>();
    if (!cursor.ok()) {
        reading.issues.loss("the list of memory is cut", content.where());
        return;
    }
    std::uint64_t offset = header.base;
    bool overflow = false;
    reading.forEach<MemoryDescriptor64>(
        content.slice(sizeof header), header.count, sizeof(MemoryDescriptor64),
        "the list of memory", [&](const MemoryDescriptor64& raw) {
            const auto next = checkedAdd(offset, raw.size);
            if (overflow || !next) {
                overflow = true;
                return;
            }
            reading.memory.push_back({Range::ofSize(raw.start, raw.size), offset});
            offset = *next;
        });
    if (overflow)
        reading.issues.loss("the sizes in the list of memory add up beyond 2^64", content.where());
}

void readMemoryInfoList(Reading& reading, ByteView content) {
    std::vector<Region> regions;
    reading.forEachSized<ListHeader64, RawMemoryInfo>(
        content, "the list of memory regions", [&](const RawMemoryInfo& raw) {
            Region region;
            region.range = Range::ofSize(raw.base, raw.size);
            if (region.range.empty()) return;
            region.protection = protectionOf(raw.protect);
            region.shared = raw.type == typeMapped;
            if (raw.allocationBase != 0) region.allocationBase = raw.allocationBase;
            if (raw.allocationProtect != 0)
                region.allocationProtection = protectionOf(raw.allocationProtect);
            region.kind = raw.state == stateFree      ? RegionKind::free
                          : raw.state == stateReserve ? RegionKind::reserved
                          : raw.type == typeImage     ? RegionKind::image
                          : raw.type == typeMapped    ? RegionKind::file
                          : raw.type == typePrivate   ? RegionKind::anonymous
                                                      : RegionKind::unknown;
            regions.push_back(std::move(region));
        });
    std::ranges::stable_sort(regions, {},
                             [](const Region& region) { return region.range.begin(); });
    std::size_t dropped = 0;
    auto& kept = reading.process.regions.items;
    for (Region& region : regions) {
        if (!kept.empty() && region.range.begin() < kept.back().range.end())
            ++dropped;
        else
            kept.push_back(std::move(region));
    }
    if (dropped != 0)
        reading.issues.loss(fmt::format("{} memory regions overlap others", dropped),
                            content.where());
    reading.process.regions.coverage = dropped == 0 ? Coverage::complete : Coverage::partial;
}

void readUnread(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto pointer = cursor.structure<UnreadPointer>();
    if (!cursor.ok()) return;
    const std::uint64_t size = reading.source->size();
    if (pointer.offset >= size) {
        reading.issues.loss("the list of ranges that could not be read is missing: the file is cut",
                            reading.source->where(pointer.offset));
        return;
    }
    const SharedBytes list =
        reading.load(pointer.offset, size - pointer.offset, "the list of unread ranges");
    reading.forEachSized<ListHeader64, UnreadRange>(
        reading.view(list, pointer.offset), "the list of unread ranges",
        [&](const UnreadRange& raw) {
            const Range range = Range::ofSize(raw.start, raw.size);
            if (range.empty()) return;
            const Absence why = absenceOf(raw.absence);
            reading.absent.push_back({range, why, false});
            if (why == Absence::unreadable) reading.snapshot.unread.push_back(range);
        });
}

void readZeroRanges(Reading& reading, ByteView content) {
    reading.forEachSized<ListHeader64, ZeroRange>(
        content, "the list of zero ranges",
        [&](const ZeroRange& raw) { reading.zeros.push_back(Range::ofSize(raw.start, raw.size)); });
}

namespace {

/// Sorted and disjoint; of overlapping holes the one that begins first counts.
std::vector<Extent> disjoint(std::vector<Extent> holes) {
    std::ranges::stable_sort(holes, {}, [](const Extent& hole) { return hole.range.begin(); });
    std::vector<Extent> kept;
    std::uint64_t end = 0;
    for (Extent& hole : holes) {
        hole.range = Range::between(std::max(hole.range.begin(), end), hole.range.end());
        if (hole.range.empty()) continue;
        end = hole.range.end();
        kept.push_back(hole);
    }
    return kept;
}

std::vector<Range> merged(std::vector<Range> ranges) {
    std::ranges::sort(ranges);
    RangeSet set;
    for (const Range& range : ranges)
        set.add(range);
    return set.ranges();
}

/// Calls `use(part)` for what of `range` is in none of `taken`; `from` is where to begin looking
/// and is moved on, so that ascending calls cost one walk altogether.
template <class Use>
void forEachMissing(Range range, const std::vector<Range>& taken, std::size_t& from, Use use) {
    std::uint64_t position = range.begin();
    while (from < taken.size() && taken[from].end() <= position)
        ++from;
    for (std::size_t i = from; i < taken.size() && taken[i].begin() < range.end(); ++i) {
        if (taken[i].begin() > position) use(Range::between(position, taken[i].begin()));
        position = std::max(position, taken[i].end());
    }
    if (position < range.end()) use(Range::between(position, range.end()));
}

/// Overlaps go to the range that begins first. A thread's stack usually stands in the list of
/// memory too, at the same place of the file, and is dropped without a word.
std::vector<Reading::Stored> withoutOverlaps(Reading& reading) {
    std::ranges::stable_sort(reading.memory, {}, [](const Reading::Stored& s) { return s.range; });
    std::vector<Reading::Stored> kept;
    std::size_t contradictions = 0;
    std::size_t beyond = 0;
    for (const Reading::Stored& stored : reading.memory) {
        const std::uint64_t end = kept.empty() ? 0 : kept.back().range.end();
        const auto last = checkedAdd(stored.offset, stored.range.size());
        if (!last || *last > reading.source->size()) ++beyond;
        std::uint64_t cut = 0;
        if (stored.range.begin() < end) {
            cut = end - stored.range.begin();
            const Reading::Stored& before = kept.back();
            const std::uint64_t same =
                before.offset + (stored.range.begin() - before.range.begin());
            if (same != stored.offset) ++contradictions;
        }
        if (cut >= stored.range.size() || !checkedAdd(stored.offset, cut)) continue;
        kept.push_back(
            {Range::between(stored.range.begin() + cut, stored.range.end()), stored.offset + cut});
    }
    if (beyond != 0) {
        reading.issues.loss(
            fmt::format("{} ranges of memory are cut: they reach beyond the file's end", beyond));
    }
    if (contradictions != 0) {
        reading.issues.note(
            fmt::format("{} ranges of memory overlap others that lie elsewhere in "
                        "the file; the first one counts",
                        contradictions));
    }
    return kept;
}

}  // namespace

void buildMemory(Reading& reading) {
    SegmentSpaceBuilder builder(reading.source);
    const std::vector<Extent> holes = disjoint(std::move(reading.absent));
    std::vector<Range> taken;
    for (const Extent& hole : holes) {
        builder.addAbsent(hole.range, hole.absence);
        taken.push_back(hole.range);
    }
    // What could not be read has zeros in the file, which are not its content: holes go first.
    std::vector<Range> stored;
    std::size_t from = 0;
    for (const Reading::Stored& item : withoutOverlaps(reading)) {
        stored.push_back(item.range);
        forEachMissing(item.range, taken, from, [&](Range part) {
            builder.addStored(part, item.offset + (part.begin() - item.range.begin()));
        });
    }
    taken.insert(taken.end(), stored.begin(), stored.end());
    taken = merged(std::move(taken));
    from = 0;
    const std::vector<Range> zeros = merged(std::move(reading.zeros));
    for (const Range& zero : zeros)
        forEachMissing(zero, taken, from, [&](Range part) { builder.addZero(part); });
    taken.insert(taken.end(), zeros.begin(), zeros.end());
    taken = merged(std::move(taken));
    // Mapped, and left out by the choice of what to save.
    from = 0;
    for (const Region& region : reading.process.regions) {
        if (region.kind == RegionKind::free || region.kind == RegionKind::reserved) continue;
        forEachMissing(region.range, taken, from,
                       [&](Range part) { builder.addAbsent(part, Absence::not_captured); });
    }
    reading.process.memory = builder.build();
}

}  // namespace icecore::minidump
