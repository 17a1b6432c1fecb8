#include "symbols/dwarf_info.h"

#include <gtest/gtest.h>

#include <random>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "support/paths.h"
#include "symbols/dwarf/types.h"
#include "symbols/symbol_table.h"

namespace icecore {
namespace {

std::vector<std::byte> bytesOfTarget(const std::string& name) {
    const auto source = openMappedFile(tests::target(name));
    if (!source) return {};
    const auto bytes = (*source)->load(0, (*source)->size());
    return bytes ? std::vector(bytes->span().begin(), bytes->span().end())
                 : std::vector<std::byte>{};
}

std::shared_ptr<const ElfImage> openBytes(std::vector<std::byte> bytes) {
    return ElfImage::open(memorySource(std::move(bytes), "shapes")).value_or(nullptr);
}

/// The start of every function, and some bytes further.
std::vector<std::uint64_t> addressesOf(const std::shared_ptr<const ElfImage>& image) {
    const SymbolTable table({image});
    std::vector<std::uint64_t> addresses;
    for (const auto& entry : table.entries()) {
        if (!entry.code) continue;
        for (std::uint64_t offset = 0; offset < entry.size; offset += 3)
            addresses.push_back(entry.address + offset);
    }
    return addresses;
}

std::size_t named(const std::shared_ptr<const ElfImage>& image,
                  const std::vector<std::uint64_t>& addresses) {
    const DwarfInfo dwarf(image, [](const auto&) { return nullptr; });
    std::size_t count = 0;
    for (const std::uint64_t address : addresses) {
        for (const DwarfFrame& frame : dwarf.lookUp(address))
            count += !frame.name.empty() || !frame.linkageName.empty();
    }
    // Types and variables as well.
    const dwarf::DwarfTypes types(dwarf.data(), Arch::x86_64);
    for (const std::string& name : types.matching("*", 16)) {
        const auto type = types.find(name);
        for (const TypeMember& member : types.members(type.value_or(0)))
            (void)types.shape(member.type);
    }
    for (std::size_t i = 0; i < addresses.size(); i += 32) {
        for (const Variable& variable : types.variablesAt(addresses[i], i / 32 % 2, nullptr))
            (void)types.shape(variable.type);
    }
    return count;
}

/// With types in compilation units, and in units of their own (.debug_types).
class DwarfInfoOf : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Targets, DwarfInfoOf, testing::Values("symbols_shapes", "type_units"),
                         [](const auto& target) { return std::string(target.param); });

/// Bytes of the debug sections changed at random: answers may be lost, and nothing else.
TEST_P(DwarfInfoOf, damagedAnywhere) {
    const std::vector<std::byte> whole = bytesOfTarget(GetParam());
    const auto image = openBytes(whole);
    ASSERT_NE(image, nullptr);
    const auto addresses = addressesOf(image);
    ASSERT_GT(addresses.size(), 50U);
    ASSERT_GT(named(image, addresses), addresses.size() / 2);
    std::mt19937 random(20240605);  // the same every time
    for (const ElfSection& section : image->sections()) {
        if (!section.name.starts_with(".debug_") || section.size == 0) continue;
        for (int round = 0; round < 60; ++round) {
            auto bytes = whole;
            for (int i = 0; i < 1 + round % 4; ++i) {
                const std::uint64_t at = section.offset + random() % section.size;
                constexpr std::array<std::uint8_t, 6> nasty = {0, 1, 0x7f, 0x80, 0xff, 0x55};
                bytes[at] = std::byte{nasty[random() % nasty.size()]};
            }
            if (const auto broken = openBytes(std::move(bytes))) (void)named(broken, addresses);
        }
    }
}

/// A signature leads to the unit that describes the type.
TEST(DwarfInfo, typeUnitsAreFoundByTheirSignatures) {
    const auto image = openBytes(bytesOfTarget("type_units"));
    ASSERT_NE(image, nullptr);
    ASSERT_NE(image->section(".debug_types"), nullptr);
    const DwarfInfo dwarf(image, [](const auto&) { return nullptr; });
    const dwarf::DwarfTypes types(dwarf.data(), Arch::x86_64);
    const auto type = types.variableType("ice::thing");
    ASSERT_TRUE(type);
    EXPECT_EQ(types.shape(*type).name, "ice::Thing");
    EXPECT_GT(types.members(*type).size(), 20U);
}

/// Each debug section cut short, at every length that falls on a step.
TEST_P(DwarfInfoOf, cutShort) {
    const std::vector<std::byte> whole = bytesOfTarget(GetParam());
    const auto image = openBytes(whole);
    ASSERT_NE(image, nullptr);
    const auto addresses = addressesOf(image);
    elf::Header64 header;
    std::memcpy(&header, whole.data(), sizeof header);
    for (std::size_t i = 0; i < image->sections().size(); ++i) {
        const ElfSection& section = image->sections()[i];
        if (!section.name.starts_with(".debug_") || section.size == 0) continue;
        const std::uint64_t step = std::max<std::uint64_t>(1, section.size / 25);
        for (std::uint64_t size = 0; size < section.size; size += step) {
            auto bytes = whole;
            const std::size_t at =
                header.sectionOffset + i * sizeof(elf::Section64) + offsetof(elf::Section64, size);
            storeInteger(bytes.data() + at, size);
            if (const auto broken = openBytes(std::move(bytes))) (void)named(broken, addresses);
        }
    }
}

}  // namespace
}  // namespace icecore
