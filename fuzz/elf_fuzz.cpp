// Any bytes as an ELF file: headers, sections, notes, symbol tables, DWARF. Nothing may crash, hang
// or take more memory than the input is worth.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "symbols/dwarf_info.h"
#include "symbols/module_files.h"
#include "symbols/symbol_table.h"

namespace {

using namespace icecore;

void askImage(const ElfImage& image) {
    (void)image.imageBase();
    (void)image.imageSize();
    (void)image.buildId();
    (void)image.soname();
    (void)image.debugLink();
    for (const ElfSection& section : image.sections()) {
        const auto content = image.content(section);
        if (content && section.type == elf::sectionNote) (void)parseNotes(*content, 4, nullptr);
    }
    for (const ElfSegment& segment : image.segments())
        (void)parseNotes(image.atAddress(segment.address), segment.alignment, nullptr);
}

void askSymbols(const std::shared_ptr<const ElfImage>& image) {
    const SymbolTable table({image});
    std::vector<std::uint64_t> addresses = {image->entry(), image->imageBase()};
    constexpr std::size_t enough = 64;
    for (const auto& entry : table.entries()) {
        (void)table.name(entry);
        (void)table.endOf(entry);
        if (addresses.size() < enough) addresses.push_back(entry.address + 1);
    }
    for (const ElfSection& section : image->sections()) {
        if (addresses.size() < 2 * enough) addresses.push_back(section.address + section.size / 2);
    }
    const DwarfInfo dwarf(image, [](const auto&) { return nullptr; });
    for (const std::uint64_t address : addresses) {
        (void)table.at(address, true);
        (void)table.at(address, false);
        std::uint64_t start = 0;
        (void)pltStubName(*image, address, &start);
        if (hasDwarf(*image)) (void)dwarf.lookUp(address);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto image = ElfImage::open(memorySource({bytes, bytes + size}, "fuzz.elf"));
    if (!image) return 0;
    askImage(**image);
    askSymbols(*image);
    return 0;
}
