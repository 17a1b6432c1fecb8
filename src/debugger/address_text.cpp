#include "debugger/address_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"

namespace icecore::debugger {

namespace {

/// Threads by the region their stack pointer lies in.
std::unordered_map<const Region*, std::size_t> stackOwners(const Session& session) {
    std::unordered_map<const Region*, std::size_t> owners;
    const Process& process = session.process();
    for (std::size_t i = 0; i < process.threads.size(); ++i) {
        const Thread& thread = process.threads[i];
        if (!thread.context) continue;
        if (const Region* region = process.regionAt(thread.context->registers.sp()))
            owners.emplace(region, i);
    }
    return owners;
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

AddressRow rowOf(const Session& session, const Region& region,
                 const std::unordered_map<const Region*, std::size_t>& owners) {
    AddressRow row{region.range, &region, std::string(usageWord(region.kind)), {}};
    if (const auto owner = owners.find(&region);
        owner != owners.end() && region.kind != RegionKind::image) {
        row.usage = "Stack";
        row.detail = fmt::format("[~{}; {:x}.{:x}]", owner->second, session.process().pid,
                                 session.process().threads[owner->second].id);
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
    const auto owners = stackOwners(session);
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
        rows.push_back(rowOf(session, region, owners));
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
