#include "live/linux/carriage.h"

#include <algorithm>

#include "base/text.h"
#include "live/linux/maps.h"
#include "live/linux/proc.h"
#include "model/linux_maps.h"

namespace icecore::live {

namespace {

/// The first field of statm: all mapped pages.
std::uint64_t mappedPages(pid_t process) {
    const std::string statm = readProcOrEmpty(procPath(process, "statm"));
    const auto fields = splitBlanks(statm);
    return fields.empty() ? 0 : parseDecimal(fields[0]).value_or(0);
}

bool isPlainAnonymous(const Region& region) {
    return sourceOf(region) == RegionSource::anonymous;
}

/// Indices of the regions for which `page` is true of some populated page.
std::vector<bool> populated(const PageMap& pages, const std::vector<Region>& regions,
                            const std::vector<std::size_t>& asked) {
    std::vector<bool> answer(regions.size(), false);
    if (asked.empty()) return answer;
    std::size_t next = 0;
    const Range all =
        Range::between(regions[asked.front()].range.begin(), regions[asked.back()].range.end());
    pages.forEachPopulated(all, [&](Range run) {
        while (next < asked.size() && regions[asked[next]].range.end() <= run.begin())
            ++next;
        // A run may reach over several regions.
        std::size_t at = next;
        std::uint64_t on = run.end();
        for (; at < asked.size() && regions[asked[at]].range.begin() < run.end(); ++at) {
            answer[asked[at]] = true;
            on = std::max(on, regions[asked[at]].range.end());
        }
        // What lies before the next region in question may be large and full.
        return std::max(on, at < asked.size() ? regions[asked[at]].range.begin() : all.end());
    });
    return answer;
}

/// Whether a dump of this type can hold private memory of no special role.
bool savesPrivateMemory(DumpType type) {
    return type.kernelDefault || type.has(DumpFlag::with_full_memory) ||
           type.has(DumpFlag::with_private_read_write_memory) ||
           type.has(DumpFlag::with_indirectly_referenced_memory) ||
           type.has(DumpFlag::with_data_segs) || type.has(DumpFlag::with_process_thread_data);
}

bool savesShared(const Region& region, DumpType type) {
    if (type.has(DumpFlag::with_full_memory)) return true;
    // Which of them are huge pages is not known yet.
    return type.keeps(CoreFilter::huge_shared) ||
           type.keeps(isAnonymousShared(region) ? CoreFilter::anonymous_shared
                                                : CoreFilter::file_shared);
}

}  // namespace

RegionSource sourceOf(const Region& region) {
    if (region.kind == RegionKind::special || region.io) return RegionSource::unreadable;
    if (region.kind == RegionKind::vdso) return RegionSource::direct;
    if (region.inode == 0) return region.shared ? RegionSource::direct : RegionSource::anonymous;
    if (region.name.starts_with("anon_inode:")) return RegionSource::direct;
    return region.shared ? RegionSource::sharedFile : RegionSource::privateFile;
}

Result<Carriage> compareWithClone(pid_t target, pid_t clone, std::vector<Region>& regions,
                                  DumpType type, std::span<const std::uint64_t> stackPointers) {
    Carriage carriage;
    carriage.sources.reserve(regions.size());
    for (const Region& region : regions)
        carriage.sources.push_back(sourceOf(region));
    ASSIGN_OR_RETURN(auto targetPages, PageMap::open(target));
    ASSIGN_OR_RETURN(const auto clonePages, PageMap::open(clone));
    const auto holdsStack = [&](const Region& region) {
        return std::ranges::any_of(stackPointers,
                                   [&](std::uint64_t sp) { return region.range.contains(sp); });
    };
    std::vector<LiveArea> toKeep;
    const auto keepOrLeave = [&](std::size_t index) {
        const Region& region = regions[index];
        const RegionSource here = sourceOf(region);
        if (here == RegionSource::unreadable) return;
        if (savesPrivateMemory(type) || holdsStack(region)) {
            toKeep.push_back({region, here});
            carriage.sources[index] =
                here == RegionSource::privateFile ? RegionSource::keptFile : RegionSource::kept;
        } else {
            carriage.sources[index] = RegionSource::notCaptured;
        }
    };

    // MADV_DONTFORK: the kernel takes such mappings off the child's size, so equal sizes mean that
    // there are none, and nothing has to be compared.
    if (mappedPages(target) != mappedPages(clone)) {
        Issues none;
        ASSIGN_OR_RETURN(const std::string text, readProc(procPath(clone, "maps")));
        const std::vector<Region> carried = parseMaps(text, none);
        auto other = carried.begin();
        for (std::size_t i = 0; i < regions.size(); ++i) {
            while (other != carried.end() && other->range.begin() < regions[i].range.begin())
                ++other;
            if (other != carried.end() && other->range == regions[i].range) continue;
            regions[i].dontFork = true;
            keepOrLeave(i);
        }
    }

    // MADV_WIPEONFORK: nothing of it is in the clone's page tables, but in the target's.
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        if (isPlainAnonymous(regions[i]) && !regions[i].dontFork) candidates.push_back(i);
    }
    const std::vector<bool> inClone = populated(clonePages, regions, candidates);
    std::erase_if(candidates, [&](std::size_t i) { return inClone[i]; });
    // One question for all of them: each thread's guard pages are such a region.
    const std::vector<bool> inTarget = populated(targetPages, regions, candidates);
    for (const std::size_t i : candidates) {
        if (!inTarget[i]) continue;
        regions[i].wipeOnFork = true;
        keepOrLeave(i);
    }

    // Shared memory goes on changing. Small pieces are copied now; copying large ones would be the
    // very pause that the clone is there to avoid.
    constexpr std::uint64_t sharedLimit = std::uint64_t{16} << 20;
    std::uint64_t sharedTotal = 0;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        const Region& region = regions[i];
        if (!region.shared || !region.protection.write || region.dontFork) continue;
        if (!savesShared(region, type) || carriage.sources[i] == RegionSource::unreadable) continue;
        if (region.range.size() > sharedLimit - sharedTotal) {
            carriage.sharedStaysLive = true;
            continue;
        }
        sharedTotal += region.range.size();
        toKeep.push_back({region, carriage.sources[i]});
        carriage.sources[i] = RegionSource::kept;
    }

    if (toKeep.empty()) return carriage;
    std::ranges::sort(toKeep, {}, [](const LiveArea& area) { return area.region.range.begin(); });
    std::vector<Range> ranges;
    ranges.reserve(toKeep.size());
    for (const LiveArea& area : toKeep)
        ranges.push_back(area.region.range);
    const LiveSpace stopped(std::move(toKeep), std::make_unique<MemoryReader>(target),
                            std::move(targetPages), KeptMemory());
    for (const Range& range : ranges)
        TRY(carriage.kept.keep(range, stopped));
    carriage.kept.seal();
    return carriage;
}

}  // namespace icecore::live
