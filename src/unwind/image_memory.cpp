#include "unwind/image_memory.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "images/pe_layout.h"

namespace icecore {

namespace {

constexpr std::uint32_t writable = 2;  // PF_W

/// What the modules' files say their read-only segments hold.
class ImageSpace final : public AddressSpace {
public:
    ImageSpace(const Process& process, const Symbolizer& symbolizer)
        : process_(process), symbolizer_(symbolizer) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const auto at = checkedAdd(address, done);
            const auto piece = at ? window(*at) : std::span<const std::byte>{};
            if (piece.empty()) return {done, Absence::not_mapped};
            const std::size_t count = std::min(piece.size(), out.size() - done);
            std::memcpy(out.data() + done, piece.data(), count);
            done += count;
        }
        return {done, Absence::none};
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> found;
        for (const Module& module : process_.modules) {
            if (!module.range.overlaps(within)) continue;
            if (const PeImage* image = peFileOf(module)) {
                for (const PeSection& section : image->sections()) {
                    if (!readOnly(section)) continue;
                    const Range loaded =
                        Range::ofSize(module.range.begin() + section.address,
                                      image->at(section.address, UINT32_MAX).size())
                            .intersect(within)
                            .intersect(module.range);
                    if (!loaded.empty()) found.push_back({loaded, Absence::none, false});
                }
                continue;
            }
            const File file = fileOf(module);
            if (file.image == nullptr) continue;
            for (const ElfSegment& segment : file.image->segments()) {
                if (!readOnly(segment)) continue;
                const Range loaded = Range::ofSize(segment.address + file.bias, segment.fileSize)
                                         .intersect(within)
                                         .intersect(module.range);
                if (!loaded.empty()) found.push_back({loaded, Absence::none, false});
            }
        }
        std::ranges::sort(found, {}, [](const Extent& extent) { return extent.range.begin(); });
        return found;
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const Module* module = process_.moduleAt(address);
        if (const PeImage* image = module != nullptr ? peFileOf(*module) : nullptr)
            return hex(address - module->range.begin()) + " of " + image->name();
        const File file = module != nullptr ? fileOf(*module) : File{};
        if (file.image == nullptr) return hex(address) + " is in no module's file";
        return hex(address - file.bias) + " of " + file.image->name();
    }

    [[nodiscard]] std::span<const std::byte> window(std::uint64_t address) const override {
        const Module* module = process_.moduleAt(address);
        if (module == nullptr) return {};
        if (const PeImage* image = peFileOf(*module)) {
            const auto own = static_cast<std::uint32_t>(address - module->range.begin());
            const PeSection* section = image->sectionAt(own);
            if (section != nullptr && !readOnly(*section)) return {};
            return image->at(own, module->range.end() - address).span();
        }
        const File file = fileOf(*module);
        if (file.image == nullptr) return {};
        const std::uint64_t linked = address - file.bias;
        for (const ElfSegment& segment : file.image->segments()) {
            if (!readOnly(segment)) continue;
            if (!Range::ofSize(segment.address, segment.fileSize).contains(linked)) continue;
            const std::uint64_t left = std::min(segment.address + segment.fileSize - linked,
                                                module->range.end() - address);
            return file.image->atAddress(linked, left).span();
        }
        return {};
    }

private:
    struct File {
        std::shared_ptr<const ElfImage> image;
        std::uint64_t bias = 0;
    };

    static bool readOnly(const ElfSegment& segment) {
        return segment.type == elf::segmentLoad && (segment.flags & writable) == 0;
    }

    static bool readOnly(const PeSection& section) {
        return (section.characteristics & pe::sectionWrite) == 0;
    }

    /// The module's PE file, when it is the one that was mapped; null for any other module.
    [[nodiscard]] const PeImage* peFileOf(const Module& module) const {
        const ModuleSymbols& symbols = symbolizer_.module(module);
        return symbols.forced || symbols.imagePath.empty() ? nullptr : symbols.peImage.get();
    }

    /// The module's file, when it is surely the one that was mapped.
    [[nodiscard]] File fileOf(const Module& module) const {
        const ModuleSymbols& symbols = symbolizer_.module(module);
        if (symbols.image == nullptr || symbols.forced || symbols.image->fromProcessMemory())
            return {};
        // Without an id in the dump the symbolizer has compared headers or layout.
        if (module.id.kind == ModuleId::Kind::build_id &&
            !std::ranges::equal(symbols.image->buildId(), module.id.bytes))
            return {};
        return {symbols.image,
                module.bias.value_or(module.range.begin() - symbols.image->imageBase())};
    }

    const Process& process_;
    const Symbolizer& symbolizer_;
};

}  // namespace

std::shared_ptr<const AddressSpace> imageBackedMemory(const Process& process,
                                                      const Symbolizer& symbolizer) {
    return overlay(process.memory, std::make_shared<ImageSpace>(process, symbolizer));
}

}  // namespace icecore
