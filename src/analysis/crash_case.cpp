#include "analysis/crash_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace icecore {

namespace {

bool isRealRegion(const Region& region) {
    return region.kind != RegionKind::free && region.kind != RegionKind::reserved;
}

std::string regionText(const Region& region) {
    std::string name =
        region.name.empty() ? fmt::format("{} memory", toString(region.kind)) : region.name;
    return fmt::format("{}, {}", name, protectionText(region.protection));
}

/// The mapped neighbours, when they are near enough to tell something.
std::string neighbourText(const Process& process, std::uint64_t address) {
    constexpr std::uint64_t near = 1 << 20;
    const auto& regions = process.regions.items;
    const auto above = std::ranges::upper_bound(
        regions, address, {}, [](const Region& region) { return region.range.begin(); });
    std::string text;
    if (above != regions.begin()) {
        const Region& below = *std::prev(above);
        if (address - below.range.end() < near && isRealRegion(below)) {
            text += fmt::format("; {} bytes behind the end of {}", hex(address - below.range.end()),
                                regionText(below));
        }
    }
    if (above != regions.end() && above->range.begin() - address <= near && isRealRegion(*above)) {
        text += fmt::format("; {} bytes before {}", hex(above->range.begin() - address),
                            regionText(*above));
    }
    return text;
}

}  // namespace

std::optional<Instruction> CrashCase::instructionAt(std::uint64_t address) const {
    if (!disassembler) return std::nullopt;
    std::array<std::byte, 16> code{};
    const std::size_t got = memory->read(address & ~std::uint64_t{arch() == Arch::arm}, code).bytes;
    return disassembler->decode(std::span(code).first(got), address);
}

std::string protectionText(const Protection& protection) {
    std::string text;
    text += protection.read ? 'r' : '-';
    text += protection.write ? 'w' : '-';
    text += protection.execute ? 'x' : '-';
    if (protection.guard) text += " guard";
    return text;
}

std::string threadText(const Process& process, std::uint64_t id) {
    const Thread* thread = process.thread(id);
    return thread == nullptr || thread->name.empty()
               ? fmt::format("thread {}", id)
               : fmt::format("thread {} ({})", id, thread->name);
}

std::string describeAddress(const Process& process, std::uint64_t address) {
    const Region* region = process.regionAt(address);
    if (const Module* module = process.moduleAt(address)) {
        std::string text =
            fmt::format("{}+{}", module->fileName(), hex(address - module->range.begin()));
        if (region != nullptr) text += ", " + protectionText(region->protection);
        return text;
    }
    for (const Thread& thread : process.threads) {
        if (thread.stack && thread.stack->contains(address))
            return "the stack of " + threadText(process, thread.id);
    }
    if (region != nullptr && isRealRegion(*region)) return regionText(*region);
    for (const UnloadedModule& module : process.unloadedModules) {
        if (module.range.contains(address))
            return fmt::format("{}, which was unloaded", module.path);
    }
    if (process.regions.coverage == Coverage::absent) return "the dump does not say what is mapped";
    if (!isCanonical(process.system.arch, address)) return "no valid address (not canonical)";
    return "not mapped" + neighbourText(process, address);
}

std::string placeText(const NamedFrame& frame) {
    if (frame.module == nullptr) return frame.function.empty() ? "unknown" : frame.function;
    const std::string_view module = frame.module->shortName();
    return frame.function.empty() ? fmt::format("{}+{}", module, hex(frame.moduleOffset))
                                  : fmt::format("{}!{}", module, frame.function);
}

std::string frameText(const NamedFrame& frame) {
    if (frame.module == nullptr && frame.function.empty()) return hex(frame.pc);
    std::string text = placeText(frame);
    if (!frame.function.empty() && frame.functionOffset != 0)
        text += "+" + hex(frame.functionOffset);
    if (!frame.file.empty()) {
        const auto slash = frame.file.find_last_of("/\\");
        text += fmt::format(
            " ({}:{})", frame.file.substr(slash == std::string::npos ? 0 : slash + 1), frame.line);
    }
    return text;
}

std::optional<bool> isMapped(const Process& process, std::uint64_t address) {
    if (process.regions.empty()) return std::nullopt;
    const Region* region = process.regionAt(address);
    if (region != nullptr && isRealRegion(*region)) return true;
    return process.regions.coverage == Coverage::complete ? std::optional(false) : std::nullopt;
}

}  // namespace icecore
