// Call frame information of any kind: entries, rows, expressions, the linker's table.
//
// The first byte chooses: bit 0 .debug_frame instead of .eh_frame, bit 1 arm64 instead of x86-64,
// bit 2 32-bit addresses, bit 3 reads the rest as an .eh_frame_hdr. The section begins behind it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "symbols/dwarf/expression.h"
#include "unwind/cfi_finder.h"
#include "unwind/cfi_index.h"
#include "unwind/cfi_program.h"

using namespace icecore;

namespace {

/// A stack whose words lead back into it, so that expressions have something to read.
class Echo final : public AddressSpace {
public:
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        if (address < begin || address > begin + size - out.size()) return {0, Absence::not_mapped};
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<std::byte>((address + i) >> (8 * (i % 2)));
        return {out.size(), Absence::none};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return {{Range::ofSize(begin, size).intersect(within), Absence::none, false}};
    }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "echo"; }

    static constexpr std::uint64_t begin = 0x7000, size = 0x4000;
};

void require(bool holds) {
    if (!holds) std::abort();
}

void searchTable(ByteView bytes, PointerBases bases) {
    const auto header = EhFrameHeader::parse(bytes, bases);
    if (!header || !header->hasTable()) return;
    require(header->count() <= bytes.size());
    for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1000}, UINT64_MAX})
        (void)header->find(address);
}

void applyRows(const CfiSection& section, const Fde& fde) {
    const Echo echo;
    WalkFrame frame;
    frame.registers = Registers(section.arch);
    const auto count = archInfo(section.arch).registers.size();
    for (std::size_t i = 0; i < count; ++i)
        frame.registers.set(static_cast<RegisterId>(i), Echo::begin + 64 * i);
    int rows = 0;
    std::uint64_t last = 0;
    (void)forEachRow(section, fde, [&](Range range, const UnwindRow& row) {
        require(!range.empty());
        WalkMemory memory(echo, echo);
        (void)applyRow(row, frame, memory);
        last = range.begin();
        return ++rows < 100;
    });
    // The same table by address.
    if (const auto row = rowAt(section, fde, last); row) require(row->section == &section);
    (void)rowAt(section, fde, fde.begin);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const ByteView bytes(std::as_bytes(std::span(data + 1, size - 1)), "input");
    CfiSection section;
    section.bytes = bytes;
    section.kind = (choice & 1U) != 0 ? CfiSection::Kind::debug_frame : CfiSection::Kind::eh_frame;
    section.arch = (choice & 2U) != 0 ? Arch::arm64 : Arch::x86_64;
    section.bases.section = 0x2000;
    section.bases.text = 0x1000;
    section.bases.data = 0x4000;
    section.bases.addressSize = (choice & 4U) != 0 ? 4 : 8;
    if ((choice & 8U) != 0) {
        searchTable(bytes, section.bases);
        return 0;
    }
    const FdeIndex index = FdeIndex::build(section, (choice & 16U) != 0);
    require(index.entries().size() <= bytes.size());
    int fdes = 0;
    for (const FdeIndex::Entry& entry : index.entries()) {
        if (++fdes > 20) break;
        const auto fde = parseFde(section, entry.offset);
        require(fde.has_value());
        applyRows(section, *fde);
        const auto found = index.find(entry.begin);
        require(!found || *found < bytes.size());
    }
    return 0;
}
