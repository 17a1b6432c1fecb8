#include "images/module_protection.h"

#include <algorithm>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"

namespace icecore {

namespace {

constexpr std::uint64_t pageSize = 4096;

/// The pages of a segment, at run time.
Range pagesOf(const ElfSegment& segment, std::uint64_t bias) {
    const Range exact = Range::ofSize(segment.address + bias, segment.memorySize);
    return Range::between(alignDown(exact.begin(), pageSize), alignUp(exact.end(), pageSize));
}

/// As the loader mapped what begins at `region`; none where no segment does.
Protection linkedProtection(const ElfImage& image, std::uint64_t bias, Range region) {
    Protection protection;
    for (const ElfSegment& segment : image.segments()) {
        if (segment.type != elf::segmentLoad || segment.memorySize == 0 ||
            !pagesOf(segment, bias).contains(region.begin()))
            continue;
        // Of two segments that share a page the later one is what is mapped there.
        protection.read = (segment.flags & elf::flagRead) != 0;
        protection.write = (segment.flags & elf::flagWrite) != 0;
        protection.execute = (segment.flags & elf::flagExecute) != 0;
    }
    for (const ElfSegment& segment : image.segments()) {
        if (segment.type != elf::segmentRelro) continue;
        // The loader protects whole pages only.
        const Range exact = Range::ofSize(segment.address + bias, segment.memorySize);
        const std::uint64_t begin = alignDown(exact.begin(), pageSize);
        const std::uint64_t end = alignDown(exact.end(), pageSize);
        if (region.begin() >= begin && region.end() <= end) protection.write = false;
    }
    return protection;
}

}  // namespace

void protectAsLinked(Process& process, std::span<const Range> doubtful) {
    auto region = process.regions.begin();
    for (const Module& module : process.modules) {
        const auto concerns = [&](const Range& range) {
            return range.begin() < module.range.end() && module.range.begin() < range.end();
        };
        if (std::ranges::none_of(doubtful, concerns)) continue;
        const auto image =
            ElfImage::fromMemory(*process.memory, module.range.begin(), UINT64_MAX, module.path);
        const std::uint64_t bias = image ? module.bias.value_or((*image)->bias()) : 0;
        for (; region != process.regions.end() && region->range.begin() < module.range.end();
             ++region) {
            const std::uint64_t at = region->range.begin();
            if (!module.range.contains(at) ||
                std::ranges::none_of(doubtful, [&](const Range& r) { return r.contains(at); }))
                continue;
            region->protection =
                image ? linkedProtection(**image, bias, region->range) : Protection{};
        }
    }
}

}  // namespace icecore
