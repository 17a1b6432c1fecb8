// Any bytes as an ELF file: headers, sections, notes, symbol tables, DWARF. Nothing may crash, hang
// or take more memory than the input is worth.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "symbols/dwarf/types.h"
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

/// Types by name, and the variables of each function with all that has to be computed for them.
void askTypes(const DwarfInfo& dwarf, Arch arch, const std::vector<std::uint64_t>& addresses) {
    const dwarf::DwarfTypes types(dwarf.data(), arch);
    constexpr std::size_t fewNames = 32;
    const auto describe = [&](TypeId type) {
        const TypeShape shape = types.shape(type);
        if (shape.target) (void)types.shape(*shape.target);
        for (const TypeMember& member : types.members(type))
            (void)types.shape(member.type);
    };
    for (const std::string& name : types.matching("*", fewNames)) {
        if (const auto type = types.find(name)) describe(*type);
    }
    (void)types.variableType("x");
    VariableFrame caller;
    caller.registers = Registers(arch);
    const std::size_t known = archInfo(arch).registers.size();
    for (std::size_t i = 0; i < known && i < Registers::capacity; ++i)
        caller.registers.set(static_cast<RegisterId>(i), 0x1000 * (i + 1));
    caller.callerSp = 0x8000;
    caller.load = [](std::uint64_t address, std::size_t) { return std::optional(address); };
    VariableFrame frame = caller;
    frame.caller = &caller;
    for (std::size_t i = 0; i < addresses.size(); i += 4) {
        caller.pc = addresses[i] + 1;
        for (std::size_t level = 0; level < 3; ++level) {
            for (const Variable& variable : types.variablesAt(addresses[i], level, &frame))
                describe(variable.type);
        }
    }
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
    // It is its own split file and package, too: their sections have other names.
    const DwarfInfo dwarf(image, [&](const auto&) { return image; });
    for (const std::uint64_t address : addresses) {
        (void)table.at(address, true);
        (void)table.at(address, false);
        std::uint64_t start = 0;
        (void)pltStubName(*image, address, &start);
        if (hasDwarf(*image)) (void)dwarf.lookUp(address);
    }
    if (hasDwarf(*image)) askTypes(dwarf, image->arch(), addresses);
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
