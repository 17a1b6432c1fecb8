#include "model/save_plan.h"

#include <algorithm>

#include "bytes/elf_layout.h"
#include "model/elf_essentials.h"
#include "model/linux_maps.h"
#include "model/thread_stacks.h"

namespace icecore {

namespace {

constexpr std::uint64_t aroundCode = 1024;  ///< bytes kept on each side of a program counter
constexpr std::uint64_t aroundFault = 512;  ///< and of an address whose access failed
constexpr std::uint64_t indirectBefore = 256, indirectAfter = 768;
constexpr std::uint32_t elfMagic = 0x464c457f;  // "\x7f" "ELF", read as a number
constexpr std::uint64_t maxModuleNotes = 64 << 10;
constexpr std::uint64_t maxVdso = 64 << 10;

bool savable(const Region& region) {
    const Protection& protection = region.protection;
    const bool accessible = protection.read || protection.write || protection.execute;
    const bool memory = region.kind != RegionKind::special && region.kind != RegionKind::reserved &&
                        region.kind != RegionKind::free;
    return accessible && memory && !protection.guard && !region.io && !region.dontDump;
}

/// Collects ranges, first reason wins; keeps each item within one mapping.
class Planner {
public:
    Planner(const Process& process, DumpType type) : process_(process) {
        plan_.type = type;
        plan_.handles = type.has(DumpFlag::with_handle_data);
        plan_.memoryInfo = type.has(DumpFlag::with_full_memory_info);
        plan_.threadInfo = type.has(DumpFlag::with_thread_info);
        plan_.unloadedModules = type.has(DumpFlag::with_unloaded_modules);
        plan_.filterModulePaths = type.has(DumpFlag::filter_module_paths);
        plan_.filterMemory = type.has(DumpFlag::filter_memory);
        plan_.optionalData = !type.has(DumpFlag::without_optional_data);
        plan_.arguments = plan_.optionalData || type.has(DumpFlag::with_process_thread_data);
        if (process.regions.empty()) {
            for (const Extent& extent : process.memory->extents(Range::all())) {
                if (extent.absence == Absence::none) mappings_.push_back(extent.range);
            }
        }
        for (const Region& region : process.regions) {
            if (savable(region)) mappings_.push_back(region.range);
        }
    }

    SavePlan decide() {
        const DumpType type = plan_.type;
        if (type.kernelDefault) {
            addKernelDefault();
            return finish();
        }
        if (type.has(DumpFlag::scan_memory)) chooseModules();
        // Large choices first, so that what they cover stays in whole mappings.
        if (type.has(DumpFlag::with_full_memory)) {
            for (const Range& mapping : mappings_)
                add(mapping, SaveReason::all);
            return finish();
        }
        if (type.has(DumpFlag::with_private_read_write_memory)) addPrivate();
        if (type.has(DumpFlag::with_data_segs)) addSegments(SaveReason::module_data);
        if (type.has(DumpFlag::with_code_segs)) addSegments(SaveReason::module_code);
        const auto stacks = threadStacks(process_, plan_.arguments);
        for (const Range& stack : stacks)
            add(stack, SaveReason::stack);
        if (plan_.optionalData) addFaults();
        addModuleHeaders();
        if (type.has(DumpFlag::with_process_thread_data)) addThreadData();
        if (type.has(DumpFlag::with_indirectly_referenced_memory)) addIndirect(stacks);
        return finish();
    }

private:
    void add(Range range, SaveReason reason) {
        auto mapping = std::partition_point(
            mappings_.begin(), mappings_.end(),
            [&](const Range& candidate) { return candidate.end() <= range.begin(); });
        for (; mapping != mappings_.end() && mapping->begin() < range.end(); ++mapping) {
            const Range part = mapping->intersect(range);
            if (part.empty()) continue;
            for (const Range& gap : covered_.missing(part))
                plan_.memory.push_back({gap, reason});
            covered_.add(part);
        }
    }

    /// Rounded outwards to pages: what is cut out of a segment costs a page anyway.
    void addPages(Range range, SaveReason reason) {
        const std::uint64_t page = archInfo(process_.system.arch).pageSize;
        add(Range::between(alignDown(range.begin(), page), alignUp(range.end(), page)), reason);
    }

    void addAround(std::uint64_t address, std::uint64_t distance, SaveReason reason) {
        if (address == 0) return;
        const Range around = Range::between(address - std::min(address, distance),
                                            Range::ofSize(address, distance).end());
        // Only the mapping the address lies in: a neighbour says nothing about it.
        if (const Region* region = process_.regionAt(address))
            add(around.intersect(region->range), reason);
        else if (process_.regions.empty())
            add(around, reason);
    }

    // What fs/coredump.c, vma_dump_size, keeps by the type's coredump_filter.
    void addKernelDefault() {
        using enum CoreFilter;
        const DumpType type = plan_.type;
        std::vector<Range> relocated;  // read-only by PT_GNU_RELRO, and written before that
        for (const Module& module : process_.modules) {
            for (const LoadedSegment& segment : loadedSegments(process_, module.range.begin())) {
                if (segment.type == elf::segmentLoad && (segment.flags & elf::flagWrite) != 0)
                    relocated.push_back(segment.range);
            }
        }
        std::ranges::sort(relocated);
        const auto written = [&](const Region& region) {
            if (region.protection.write) return true;
            const auto next =
                std::ranges::upper_bound(relocated, region.range.begin(), {}, &Range::end);
            return next != relocated.end() && next->overlaps(region.range);
        };
        if (process_.regions.empty()) {
            for (const Range& mapping : mappings_)
                add(mapping, SaveReason::all);
        }
        for (const Region& region : process_.regions) {
            if (region.kind == RegionKind::vdso) {
                add(region.range, SaveReason::module_header);
            } else if (region.hugeTlb) {
                if (type.keeps(region.shared ? huge_shared : huge_private))
                    add(region.range, SaveReason::private_memory);
            } else if (region.shared) {
                if (type.keeps(isAnonymousShared(region) ? anonymous_shared : file_shared))
                    add(region.range, SaveReason::all);
            } else if (type.keeps(anonymous_private) &&
                       (region.name.empty() || region.inode == 0 || written(region))) {
                add(region.range, region.kind == RegionKind::image ? SaveReason::module_data
                                                                   : SaveReason::private_memory);
            } else if (region.inode == 0) {
                continue;
            } else if (type.keeps(file_private)) {
                add(region.range, SaveReason::all);
            } else if (type.keeps(elf_headers) && region.fileOffset == 0 &&
                       region.protection.read && startsAsElf(region)) {
                add(Range::ofSize(region.range.begin(), archInfo(process_.system.arch).pageSize),
                    SaveReason::module_header);
            }
        }
    }

    [[nodiscard]] bool startsAsElf(const Region& region) const {
        return process_.memory->readInteger<std::uint32_t>(region.range.begin()) == elfMagic;
    }

    void addPrivate() {
        for (const Region& region : process_.regions) {
            if (!region.shared && region.protection.read && region.protection.write)
                add(region.range, SaveReason::private_memory);
        }
        if (process_.regions.empty()) {
            for (const Range& mapping : mappings_)
                add(mapping, SaveReason::private_memory);
        }
    }

    /// Writable segments for module_data; executable ones and unwind tables for module_code.
    void addSegments(SaveReason reason) {
        const bool data = reason == SaveReason::module_data;
        for (const Module& module : process_.modules) {
            if (!plan_.keeps(module)) continue;
            const auto segments = loadedSegments(process_, module.range.begin());
            for (const LoadedSegment& segment : segments) {
                const bool wanted = data ? (segment.flags & elf::flagWrite) != 0
                                         : (segment.flags & elf::flagExecute) != 0 ||
                                               holdsUnwindTables(segment, segments);
                if (segment.type == elf::segmentLoad && wanted) addPages(segment.range, reason);
            }
            if (segments.empty()) addByProtection(module.range, reason);
        }
    }

    static bool holdsUnwindTables(const LoadedSegment& segment,
                                  const std::vector<LoadedSegment>& all) {
        const auto table = std::ranges::find(all, elf::segmentEhFrame, &LoadedSegment::type);
        return table != all.end() && segment.range.contains(table->range);
    }

    /// For a module whose headers cannot be read (or that is no ELF file).
    void addByProtection(Range range, SaveReason reason) {
        for (const Region& region : process_.regions) {
            const bool wanted = reason == SaveReason::module_data ? region.protection.write
                                                                  : region.protection.execute;
            if (wanted && range.contains(region.range)) add(region.range, reason);
        }
    }

    void addFaults() {
        const auto code = [&](const Context& context) {
            addAround(context.registers.pc(), aroundCode, SaveReason::fault);
        };
        for (const Thread& thread : process_.threads) {
            if (thread.context) code(*thread.context);
        }
        if (!process_.exception) return;
        const Exception& exception = *process_.exception;
        if (exception.context) code(*exception.context);
        addAround(exception.address, aroundCode, SaveReason::fault);
        if (exception.faultAddress)
            addAround(*exception.faultAddress, aroundFault, SaveReason::fault);
    }

    void addModuleHeaders() {
        const std::uint64_t page = archInfo(process_.system.arch).pageSize;
        for (const Module& module : process_.modules) {
            if (!plan_.keeps(module)) continue;
            add(Range::ofSize(module.range.begin(), page), SaveReason::module_header);
            for (const LoadedSegment& segment : loadedSegments(process_, module.range.begin())) {
                if (segment.type == elf::segmentNote && segment.range.size() <= maxModuleNotes)
                    add(segment.range, SaveReason::module_header);
            }
        }
        for (const Range& range : linkerList(process_))
            add(range, SaveReason::module_header);
        // The vdso is in no file: its code and unwind tables are here or nowhere.
        for (const Region& region : process_.regions) {
            if (region.kind == RegionKind::vdso && region.range.size() <= maxVdso)
                add(region.range, SaveReason::module_header);
            if (plan_.unloadedModules && outlivedItsFile(region) &&
                process_.moduleAt(region.range.begin()) == nullptr && region.fileOffset == 0 &&
                !region.shared)
                add(Range::ofSize(region.range.begin(), page), SaveReason::module_header);
        }
    }

    void addThreadData() {
        std::uint64_t staticSize = 4096;  // glibc's surplus for libraries loaded later: 1.6 KiB
        std::uint64_t blockSize = 256;
        for (const Module& module : process_.modules) {
            for (const LoadedSegment& segment : loadedSegments(process_, module.range.begin())) {
                if (segment.type != elf::segmentTls) continue;
                staticSize += alignUp(std::min<std::uint64_t>(segment.range.size(), 1 << 20), 64);
                blockSize =
                    std::max(blockSize, std::min<std::uint64_t>(segment.range.size(), 1 << 20));
            }
        }
        for (const Thread& thread : process_.threads) {
            for (const Range& range : threadLocalStorage(process_, thread, staticSize, blockSize))
                add(range, SaveReason::thread_data);
        }
        // Arguments, environment and auxiliary vector: from AT_RANDOM's bytes to the stack's end.
        for (const std::uint64_t type : {elf::auxRandom, elf::auxExecFileName}) {
            const auto at = process_.auxvValue(type);
            const Region* region = at ? process_.regionAt(*at) : nullptr;
            if (region != nullptr)
                add(Range::between(alignDown(*at, 4096), region->range.end()),
                    SaveReason::thread_data);
        }
    }

    /// Memory that stacks and registers point to, where it is the process' own and writable.
    void addIndirect(const std::vector<Range>& stacks) {
        std::vector<Range> wanted;
        const auto compress = [&] {
            std::ranges::sort(wanted);
            RangeSet merged;
            for (const Range& range : wanted)
                merged.add(range);
            wanted = merged.ranges();
        };
        const auto follow = [&](std::uint64_t pointer) {
            const Region* region = process_.regionAt(pointer);
            if (region == nullptr || region->shared || !region->protection.read ||
                !region->protection.write)
                return;
            const Range around = Range::between(pointer - std::min(pointer, indirectBefore),
                                                Range::ofSize(pointer, indirectAfter).end());
            wanted.push_back(around.intersect(region->range));
            // Deep stacks repeat their pointers: keep the list small as it grows.
            if (wanted.size() >= (1U << 20) && wanted.size() >= 2 * compressed_) {
                compress();
                compressed_ = wanted.size();
            }
        };
        forEachWord(process_, stacks, follow);
        forEachRegister(process_, follow);
        compress();
        for (const Range& range : wanted)
            add(range, SaveReason::indirect);
    }

    /// The modules that something on a stack or in a register points into, and the program.
    void chooseModules() {
        std::vector<std::uint64_t> kept;
        const auto keep = [&](std::uint64_t address) {
            const Module* module = process_.moduleAt(address);
            if (module == nullptr) return;
            const std::uint64_t base = module->range.begin();
            const auto at = std::ranges::lower_bound(kept, base);
            if (at == kept.end() || *at != base) kept.insert(at, base);
        };
        forEachWord(process_, threadStacks(process_, false), keep);
        forEachRegister(process_, keep);
        if (process_.exception) keep(process_.exception->address);
        keep(process_.auxvValue(elf::auxProgramHeaders).value_or(0));
        plan_.keptModules = std::move(kept);
    }

    SavePlan finish() {
        std::ranges::sort(plan_.memory, {}, [](const SavePlan::Item& item) { return item.range; });
        return std::move(plan_);
    }

    const Process& process_;
    SavePlan plan_;
    std::vector<Range> mappings_;  ///< what may be saved at all, ascending
    RangeSet covered_;
    std::size_t compressed_ = 0;
};

}  // namespace

std::string_view toString(SaveReason reason) {
    switch (reason) {
    case SaveReason::stack: return "stack";
    case SaveReason::fault: return "fault";
    case SaveReason::module_header: return "module header";
    case SaveReason::module_data: return "module data";
    case SaveReason::module_code: return "module code";
    case SaveReason::thread_data: return "thread data";
    case SaveReason::private_memory: return "private memory";
    case SaveReason::indirect: return "indirect";
    case SaveReason::all: return "all";
    }
    return "unknown";
}

std::uint64_t SavePlan::bytes() const {
    std::uint64_t total = 0;
    for (const Item& item : memory)
        total += item.range.size();
    return total;
}

bool SavePlan::keeps(const Module& module) const {
    return !keptModules || std::ranges::binary_search(*keptModules, module.range.begin());
}

SavePlan planSave(const Process& process, DumpType type) {
    return Planner(process, type).decide();
}

}  // namespace icecore
