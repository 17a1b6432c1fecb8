// What of a process comes into a dump by a plan that stands: ranges, paths, attachments, modules.
#include <algorithm>

#include "model/linux_maps.h"
#include "model/save_plan.h"

namespace icecore {

namespace {

/// How much address space is asked about at once: bounds the list of extents.
constexpr std::uint64_t extentWindow = std::uint64_t{256} << 20;

}  // namespace

std::uint64_t presentBytes(const SavePlan& plan, const AddressSpace& memory) {
    std::uint64_t total = 0;
    for (const SavePlan::Item& item : plan.memory) {
        for (Range rest = item.range; !rest.empty();) {
            const Range window = Range::ofSize(rest.begin(), std::min(extentWindow, rest.size()));
            for (const Extent& extent : memory.extents(window)) {
                if (extent.absence == Absence::none && !extent.zero)
                    total += extent.range.intersect(window).size();
            }
            rest = Range::between(window.end(), rest.end());
        }
    }
    return total;
}

void narrowTo(SavePlan& plan, const AddressSpace& memory) {
    std::vector<SavePlan::Item> kept;
    for (const SavePlan::Item& item : plan.memory) {
        for (const Extent& extent : memory.extents(item.range)) {
            const Range part = extent.range.intersect(item.range);
            if (extent.absence != Absence::none || part.empty()) continue;
            if (!kept.empty() && kept.back().range.end() == part.begin() &&
                item.range.contains(kept.back().range))
                kept.back().range = Range::between(kept.back().range.begin(), part.end());
            else
                kept.push_back({part, item.reason});
        }
    }
    plan.memory = std::move(kept);
}

std::string_view pathToSave(std::string_view path, const SavePlan& plan) {
    if (!plan.filterModulePaths || !path.starts_with('/')) return path;
    return path.substr(path.rfind('/') + 1);
}

std::optional<SharedBytes> contentToSave(const Attachment& attachment, const SavePlan& plan) {
    const bool arguments = attachment.name == "linux/cmdline" || attachment.name == "linux/environ";
    if (arguments && !plan.arguments) return std::nullopt;
    if (attachment.name != "linux/maps" || !plan.filterModulePaths) return attachment.content;
    Issues unused;  // told when the map was read
    std::vector<Region> regions = parseLinuxMaps(attachment.content.text(), unused);
    for (Region& region : regions)
        region.name = std::string(pathToSave(region.name, plan));
    return SharedBytes::own(printLinuxMaps(regions));
}

std::vector<UnloadedModule> modulesGone(const Process& process) {
    std::vector<UnloadedModule> gone = process.unloadedModules.items;
    for (const Region& region : process.regions) {
        if (!outlivedItsFile(region) || region.shared || region.kind == RegionKind::shared)
            continue;
        if (process.moduleAt(region.range.begin()) != nullptr) continue;
        const std::string path(withoutDeletedMark(region.name));
        if (!gone.empty() && gone.back().path == path &&
            gone.back().range.end() <= region.range.begin() &&
            region.range.begin() - gone.back().range.end() <= (1U << 21)) {
            gone.back().range = Range::between(gone.back().range.begin(), region.range.end());
        } else {
            gone.push_back({region.range, path, 0, 0});
        }
    }
    return gone;
}

}  // namespace icecore
