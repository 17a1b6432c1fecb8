#include "debugger/address_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/text.h"

namespace icecore::debugger {

namespace {

/// What regions are used for beyond what the dump says of them.
struct KnownUses {
    /// Threads, by the allocation their stack pointer lies in: what it keeps in reserve and its
    /// guard page are the stack's as well.
    std::unordered_map<std::uint64_t, std::size_t> stacks;
    std::unordered_map<const Region*, std::size_t> threadBlocks;  ///< threads
    const Region* processBlock = nullptr;
    std::map<std::uint64_t, std::size_t> heaps;  ///< their numbers, by address
};

/// PEB: NumberOfHeaps, MaximumNumberOfHeaps, 32 bits each, then ProcessHeaps, a pointer to the
/// list; unchanged since Windows XP (geoffchappell.com).
std::map<std::uint64_t, std::size_t> heapsOf(const Process& process, std::size_t pointer) {
    std::map<std::uint64_t, std::size_t> heaps;
    if (process.system.os != Os::windows || !process.peb) return heaps;
    constexpr std::uint32_t most = 4096;
    const std::uint64_t count = *process.peb + (pointer == 8 ? 0xe8 : 0x88);
    const AddressSpace& memory = *process.memory;
    const auto number = memory.readInteger<std::uint32_t>(count);
    const auto list = memory.readPointer(count + 8, pointer);
    if (!number || !list || *number > most) return heaps;
    for (std::size_t i = 0; i < *number; ++i) {
        if (const auto heap = memory.readPointer(*list + i * pointer, pointer))
            heaps.emplace(*heap, i);
    }
    return heaps;
}

std::uint64_t allocationOf(const Region& region) {
    return region.allocationBase.value_or(region.range.begin());
}

KnownUses knownUses(const Session& session) {
    KnownUses uses;
    const Process& process = session.process();
    const bool windows = process.system.os == Os::windows;
    for (std::size_t i = 0; i < process.threads.size(); ++i) {
        const Thread& thread = process.threads[i];
        if (thread.context) {
            if (const Region* region = process.regionAt(thread.context->registers.sp()))
                uses.stacks.emplace(allocationOf(*region), i);
        }
        const Region* block = windows && thread.tls ? process.regionAt(*thread.tls) : nullptr;
        if (block != nullptr) uses.threadBlocks.emplace(block, i);
    }
    if (windows && process.peb) uses.processBlock = process.regionAt(*process.peb);
    uses.heaps = heapsOf(process, session.pointerSize());
    return uses;
}

std::string_view usageWord(RegionKind kind) {
    switch (kind) {
    case RegionKind::image: return "Image";
    case RegionKind::file: return "MappedFile";
    case RegionKind::stack: return "Stack";
    case RegionKind::heap: return "Heap";
    case RegionKind::vdso: return "Image";
    case RegionKind::shared: return "Shared";
    case RegionKind::special: return "Other";
    case RegionKind::free: return "Free";
    case RegionKind::anonymous:
    case RegionKind::reserved:
    case RegionKind::unknown: break;
    }
    return "<unknown>";
}

AddressRow rowOf(const Session& session, const Region& region, const KnownUses& uses) {
    AddressRow row{region.range, &region, std::string(usageWord(region.kind)), {}};
    const auto use = [&](std::string_view usage, std::size_t thread) {
        row.usage = usage;
        row.detail = fmt::format("[~{}; {:x}.{:x}]", thread, session.process().pid,
                                 session.process().threads[thread].id);
        return row;
    };
    const auto stack = uses.stacks.find(allocationOf(region));
    if (stack != uses.stacks.end() && region.kind != RegionKind::image &&
        region.kind != RegionKind::free)
        return use("Stack", stack->second);
    if (const auto block = uses.threadBlocks.find(&region); block != uses.threadBlocks.end())
        return use("TEB", block->second);
    if (&region == uses.processBlock) {
        row.usage = "PEB";
        row.detail = fmt::format("[{:x}]", session.process().pid);
        return row;
    }
    const auto heap = uses.heaps.find(allocationOf(region));
    if (heap != uses.heaps.end() && region.kind != RegionKind::free) {
        row.usage = "Heap";
        row.detail =
            fmt::format("[ID: {}; Handle: {}; Type: Segment]", heap->second,
                        hexDigits(heap->first, static_cast<int>(session.pointerSize() * 2)));
        return row;
    }
    if (const Module* module = session.process().moduleAt(region.range.begin())) {
        row.usage = "Image";
        row.detail = fmt::format("[{}; \"{}\"]", session.moduleNames().name(*module),
                                 printable(module->path));
    } else if (!region.name.empty()) {
        row.detail = fmt::format("[{}]", printable(region.name));
    }
    return row;
}

}  // namespace

std::vector<AddressRow> addressRows(const Session& session) {
    const Process& process = session.process();
    const KnownUses uses = knownUses(session);
    std::vector<AddressRow> rows;
    std::uint64_t at = 0;
    const bool complete = process.regions.coverage == Coverage::complete;
    // Above it lies the kernel's half, of which a process' dump says nothing.
    const std::uint64_t limit = std::uint64_t{1} << (session.pointerSize() == 4 ? 32U : 47U);
    const auto gap = [&](std::uint64_t end) {
        end = std::min(end, limit);
        if (end <= at) return;
        rows.push_back({Range::between(at, end), nullptr, complete ? "Free" : "<unknown>", {}});
    };
    for (const Region& region : process.regions) {
        gap(region.range.begin());
        rows.push_back(rowOf(session, region, uses));
        at = region.range.end();
    }
    if (process.regions.empty()) {
        for (const Extent& extent : process.memory->extents(Range::all())) {
            if (extent.absence != Absence::none) continue;
            gap(extent.range.begin());
            rows.push_back({extent.range, nullptr, "<captured>", {}});
            at = extent.range.end();
        }
    }
    gap(limit);
    return rows;
}

std::string_view typeText(const AddressRow& row) {
    if (row.region == nullptr || row.region->kind == RegionKind::free) return "";
    switch (row.region->kind) {
    case RegionKind::image:
    case RegionKind::vdso: return "MEM_IMAGE";
    case RegionKind::file:
    case RegionKind::shared: return "MEM_MAPPED";
    default: return row.region->shared ? "MEM_MAPPED" : "MEM_PRIVATE";
    }
}

std::string_view stateText(const AddressRow& row) {
    if (row.region == nullptr) return row.usage == "Free" ? "MEM_FREE" : "";
    if (row.region->kind == RegionKind::free) return "MEM_FREE";
    return row.region->kind == RegionKind::reserved ? "MEM_RESERVE" : "MEM_COMMIT";
}

std::string protectText(const Protection& protection) {
    std::string text;
    if (protection.execute) {
        text = protection.write  ? "PAGE_EXECUTE_READWRITE"
               : protection.read ? "PAGE_EXECUTE_READ"
                                 : "PAGE_EXECUTE";
    } else {
        text = protection.write  ? "PAGE_READWRITE"
               : protection.read ? "PAGE_READONLY"
                                 : "PAGE_NOACCESS";
    }
    if (protection.guard) text += "|PAGE_GUARD";
    return text;
}

std::string columnAddress(std::uint64_t address) {
    return fmt::format("{:>8x}`{:08x}", address >> 32U, address & 0xffffffffU);
}

}  // namespace icecore::debugger
