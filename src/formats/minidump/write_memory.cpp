// Which memory goes into the dump, and the lists that say so.
#include <algorithm>

#include "formats/copy_memory.h"
#include "formats/minidump/writing.h"

namespace icecore::minidump {

namespace {

/// Runs that are known to be zero without reading (never touched, or holes of a sparse file) and
/// at least this long are named instead of stored: a process may reserve terabytes, and no file
/// system holds files that long.
constexpr std::uint64_t longZeroRun = 16 << 20;
/// How much address space is asked about at once: bounds the list of extents.
constexpr std::uint64_t extentWindow = std::uint64_t{1} << 30;
/// Room left for the metadata below 4 GiB.
constexpr std::uint64_t most32 = std::uint64_t{3} << 30;

std::vector<Range> zeroRuns(const AddressSpace& memory, Range range) {
    std::vector<Range> runs;
    if (range.size() < longZeroRun) return runs;
    RangeSet zeros;
    for (std::uint64_t at = range.begin(); at < range.end();) {
        const Range window = Range::ofSize(at, std::min(extentWindow, range.end() - at));
        for (const Extent& extent : memory.extents(window)) {
            if (extent.zero && extent.absence == Absence::none)
                zeros.add(extent.range.intersect(window));
        }
        at = window.end();
    }
    for (const Range& run : zeros.ranges()) {
        if (run.size() >= longZeroRun) runs.push_back(run);
    }
    return runs;
}

std::uint32_t unreadReason(Absence absence) {
    switch (absence) {
    case Absence::not_mapped: return unreadNotMapped;
    case Absence::not_captured: return unreadNotCaptured;
    case Absence::truncated: return unreadTruncated;
    case Absence::not_present: return unreadNotPresent;
    case Absence::none:
    case Absence::unreadable: break;
    }
    return unreadFailed;
}

std::uint32_t protectOf(const Protection& protection) {
    std::uint32_t protect = protectNone;
    if (protection.execute)
        protect = protection.write  ? protectExecuteReadWrite
                  : protection.read ? protectExecuteRead
                                    : protectExecute;
    else if (protection.write)
        protect = protectReadWrite;  // there is no write without read on Windows
    else if (protection.read)
        protect = protectRead;
    return protect | (protection.guard ? protectGuard : 0);
}

std::uint32_t typeOf(const Region& region) {
    if (region.kind == RegionKind::image || region.kind == RegionKind::vdso) return typeImage;
    if (region.shared || region.kind == RegionKind::file || region.kind == RegionKind::shared)
        return typeMapped;
    return typePrivate;
}

}  // namespace

void layOutMemory(Writing& writing, const AddressSpace& memory) {
    StorablePlan plan = storablePlan(memory, writing.plan);
    writing.absent = std::move(plan.absent);
    for (const Range& range : plan.stored) {
        std::uint64_t position = range.begin();
        const auto store = [&](std::uint64_t end) {
            if (end <= position) return;
            writing.stored.push_back(Range::between(position, end));
            writing.storedAt.push_back(writing.memoryBytes);
            writing.memoryBytes += end - position;
        };
        for (const Range& run : zeroRuns(memory, range)) {
            store(run.begin());
            writing.zeros.push_back(run);
            position = run.end();
        }
        store(range.end());
    }
    writing.memory64 =
        writing.plan.type.has(DumpFlag::with_full_memory) || writing.memoryBytes > most32;
}

std::optional<std::uint64_t> writeMemoryList(Writing& writing) {
    if (writing.memory64) return std::nullopt;
    Metadata& metadata = writing.metadata;
    metadata.align(8);
    const auto begin = metadata.append(Le32(static_cast<std::uint32_t>(writing.stored.size())));
    for (std::size_t i = 0; i < writing.stored.size(); ++i) {
        MemoryDescriptor raw{};
        raw.start = writing.stored[i].begin();
        raw.memory.size = static_cast<std::uint32_t>(writing.stored[i].size());
        const std::uint64_t at = metadata.append(raw);
        writing.rvas.push_back({at + offsetof(MemoryDescriptor, memory) + offsetof(Location, rva),
                                writing.storedAt[i]});
    }
    return begin;
}

std::optional<std::uint64_t> writeMemory64List(Writing& writing) {
    if (!writing.memory64) return std::nullopt;
    Metadata& metadata = writing.metadata;
    metadata.align(8);
    const auto begin = metadata.append(Memory64Header{writing.stored.size(), 0});
    writing.offsets.push_back({begin + offsetof(Memory64Header, base), 0});
    for (const Range& range : writing.stored)
        metadata.append(MemoryDescriptor64{range.begin(), range.size()});
    return begin;
}

std::optional<std::uint64_t> writeMemoryInfoList(Writing& writing) {
    if (!writing.plan.memoryInfo) return std::nullopt;
    const auto& regions = writing.process.regions;
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(
        ListHeader64{sizeof(ListHeader64), sizeof(RawMemoryInfo), regions.size()});
    for (const Region& region : regions) {
        RawMemoryInfo raw{};
        raw.base = region.range.begin();
        raw.size = region.range.size();
        raw.allocationBase = region.allocationBase.value_or(region.range.begin());
        raw.protect = protectOf(region.protection);
        raw.allocationProtect = protectOf(region.allocationProtection.value_or(region.protection));
        raw.state = region.kind == RegionKind::free       ? stateFree
                    : region.kind == RegionKind::reserved ? stateReserve
                                                          : stateCommit;
        raw.type = typeOf(region);
        writing.metadata.append(raw);
    }
    return begin;
}

std::optional<std::uint64_t> writeZeroRanges(Writing& writing) {
    if (writing.zeros.empty()) return std::nullopt;
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(
        ListHeader64{sizeof(ListHeader64), sizeof(ZeroRange), writing.zeros.size()});
    for (const Range& range : writing.zeros)
        writing.metadata.append(ZeroRange{range.begin(), range.size()});
    return begin;
}

std::optional<std::uint64_t> writeUnreadPointer(Writing& writing) {
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(UnreadPointer{0});
    writing.offsets.push_back({begin, writing.memoryBytes});
    return begin;
}

std::vector<std::byte> unreadList(const Writing& writing, const std::vector<Range>& unread) {
    std::vector<Extent> all = writing.absent;
    for (const Range& range : unread)
        all.push_back({range, Absence::unreadable, false});
    std::ranges::sort(all, {}, [](const Extent& extent) { return extent.range; });
    Metadata list;
    list.append(ListHeader64{sizeof(ListHeader64), sizeof(UnreadRange), all.size()});
    for (const Extent& extent : all) {
        list.append(UnreadRange{extent.range.begin(), extent.range.size(),
                                unreadReason(extent.absence), 0});
    }
    return list.bytes();
}

}  // namespace icecore::minidump
