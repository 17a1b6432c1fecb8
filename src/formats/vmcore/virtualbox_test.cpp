// Cores of VirtualBox' machines (`VBoxManage debugvm dumpvmcore`), made from a specification.
#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/elf_layout.h"
#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "formats/vmcore/vmcore.h"

namespace icecore {
namespace {

using image::testing::MadeUpMemory;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t pageSize = 4096;

/// As DBGFCoreWrite.cpp writes it: header, one PT_NOTE, one PT_LOAD for each range (MMIO has no
/// bytes), VBCORE, a VBCPU for each CPU, memory. Names are padded to eight bytes and counted
/// without their NUL.
class CoreMaker {
public:
    void cpu(std::uint64_t rip, std::uint64_t cr3) {
        Bytes state;
        for (std::uint64_t i = 0; i < 18; ++i)
            appendInteger(state, i == 14 ? rip : i == 15 ? 0xffffc90000001000 : 0x100 + i);
        for (std::uint64_t i = 0; i < 6; ++i) {  // cs ds es fs gs ss
            appendInteger(state, i == 4 ? std::uint64_t{0xffff888000000000} : 0);
            appendInteger(state, std::uint32_t{0xffffffff});
            appendInteger(state, std::uint32_t{0xa09b});
            appendInteger(state, static_cast<std::uint16_t>(0x10 + 8 * i));
            state.resize(state.size() + 6);
        }
        for (const std::uint64_t control :
             {std::uint64_t{0x80050033}, std::uint64_t{0}, cr3, std::uint64_t{0x6f0}})
            appendInteger(state, control);
        state.resize(8768);  // descriptor tables, MSRs and the XSAVE area
        states_.push_back(std::move(state));
    }
    void memory(Range range, bool stored = true) { ranges_.emplace_back(range, stored); }

    [[nodiscard]] Bytes finish() {
        Bytes notes;
        Bytes core;
        for (const std::uint32_t value : {0xc01ac0deU, 0x00010006U, 24U, 0x07000014U, 162'000U,
                                          static_cast<std::uint32_t>(states_.size())})
            appendInteger(core, value);
        note(notes, "VBCORE", 0xb00, core);
        for (const Bytes& state : states_)
            note(notes, "VBCPU", 0xb01, state);
        const std::size_t tables =
            sizeof(elf::Header64) + (ranges_.size() + 1) * sizeof(elf::Program64);
        std::uint64_t offset = alignUp(tables + notes.size(), pageSize);
        Bytes file;
        elf::Header64 header{};
        std::ranges::copy(elf::magic, header.ident);
        header.ident[elf::identClass] = std::byte{elf::class64};
        header.ident[elf::identData] = std::byte{elf::dataLittle};
        header.type = elf::typeCore;
        header.machine = elf::machineX86_64;
        header.version = 1;
        header.programOffset = sizeof(elf::Header64);
        header.headerSize = sizeof(elf::Header64);
        header.programEntrySize = sizeof(elf::Program64);
        header.programCount = static_cast<std::uint16_t>(ranges_.size() + 1);
        append(file, bytesOf(header));
        elf::Program64 segment{};
        segment.type = elf::segmentNote;
        segment.offset = tables;
        segment.fileSize = notes.size();
        append(file, bytesOf(segment));
        for (const auto& [range, stored] : ranges_) {
            segment = {};
            segment.type = elf::segmentLoad;
            segment.offset = offset;
            segment.fileSize = stored ? range.size() : 0;
            segment.memorySize = range.size();
            segment.physicalAddress = range.begin();
            append(file, bytesOf(segment));
            offset += segment.fileSize;
        }
        append(file, notes);
        file.resize(alignUp(file.size(), pageSize));
        for (const auto& [range, stored] : ranges_) {
            for (std::uint64_t at = range.begin(); stored && at < range.end(); ++at)
                file.push_back(MadeUpMemory::byteAt(at));
        }
        return file;
    }

private:
    static void append(Bytes& to, std::span<const std::byte> bytes) {
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    static void note(Bytes& notes, std::string_view name, std::uint32_t type,
                     const Bytes& content) {
        appendInteger(notes, static_cast<std::uint32_t>(name.size()));
        appendInteger(notes, static_cast<std::uint32_t>(content.size()));
        appendInteger(notes, type);
        append(notes, std::as_bytes(std::span(name)));
        notes.resize(notes.size() + 8 - name.size());
        append(notes, content);
    }
    std::vector<Bytes> states_;
    std::vector<std::pair<Range, bool>> ranges_;
};

const std::vector<Range> ranges = {Range::between(0, 0xa0000), Range::between(0x100000, 0x180000),
                                   Range::ofSize(0x100000000, 0x80000)};

Bytes sample() {
    CoreMaker maker;
    maker.cpu(0xffffffff81000000, 0x1aa000);
    maker.cpu(0xffffffff81000010, 0x1bb000);
    maker.memory(ranges[0]);
    maker.memory(Range::between(0xa0000, 0xc0000), false);
    maker.memory(ranges[1]);
    maker.memory(ranges[2]);
    return maker.finish();
}

TEST(VirtualBox, MemoryAndCpus) {
    const auto source = memorySource(sample(), "vm.core");
    const auto format = recognise(*source);
    ASSERT_TRUE(format) << format.error().describe();
    EXPECT_EQ((*format)->name, "elf");
    const auto snapshot = (*format)->open(source);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_FALSE(snapshot->issues.lossy());
    EXPECT_EQ(snapshot->provenance.tool, "VirtualBox 7.0.20 r162000");
    const AddressSpace& memory = *snapshot->machine->physical;
    EXPECT_EQ(image::storedRanges(memory), ranges);
    Bytes page(pageSize);
    for (const Range& range : ranges) {
        for (std::uint64_t at = range.begin(); at < range.end(); at += pageSize) {
            ASSERT_EQ(memory.read(at, page).bytes, page.size());
            for (std::size_t i = 0; i < page.size(); ++i)
                ASSERT_EQ(page[i], MadeUpMemory::byteAt(at + i)) << at + i;
        }
    }
    EXPECT_EQ(memory.read(0xa0000, page).stopped, Absence::not_captured);
    const auto& cpus = snapshot->machine->cpus;
    ASSERT_EQ(cpus.size(), 2U);
    EXPECT_EQ(cpus[1].translationRoot, 0x1bb000U);
    const Registers& registers = cpus[1].context.registers;
    EXPECT_EQ(registers.pc(), 0xffffffff81000010U);
    EXPECT_EQ(registers.sp(), 0xffffc90000001000U);
    EXPECT_EQ(registers.get(x64::rbx), 0x101U);
    EXPECT_EQ(registers.get(x64::rbp), 0x110U);
    EXPECT_EQ(registers.get(x64::cs), 0x10U);
    EXPECT_EQ(registers.get(x64::ss), 0x38U);
    EXPECT_EQ(registers.get(x64::gs_base), 0xffff888000000000U);
}

TEST(VirtualBox, CutAnywhereAndEveryFieldWrong) {
    CoreMaker maker;
    maker.cpu(1, 2);
    maker.memory(Range::ofSize(0x1000, 0x2000));
    const Bytes file = maker.finish();
    const Format format = vmcoreFormat();
    Bytes page(pageSize);
    bool lossy = false;
    const auto use = [&](Bytes bytes) {
        const auto source = memorySource(std::move(bytes), "vm.core");
        if (!format.probe(*source)) return std::size_t{0};
        const auto snapshot = format.open(source);
        if (!snapshot) return std::size_t{0};
        lossy = snapshot->issues.lossy();
        return snapshot->machine->physical->read(0x1000, page).bytes;
    };
    for (std::size_t cut = 0; cut < file.size(); cut += cut < 400 ? 1 : 41) {
        const std::size_t got =
            use({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(cut)});
        EXPECT_TRUE(got == 0 || got == page.size() || lossy) << cut;
        for (std::size_t i = 0; i < got; ++i)
            ASSERT_EQ(page[i], MadeUpMemory::byteAt(0x1000 + i));
    }
    for (std::size_t at = 0; at + 8 <= 700; at += 2) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, std::uint64_t{0xffff}, std::uint64_t{1} << 51, UINT64_MAX}) {
            Bytes broken = file;
            storeInteger(broken.data() + at, value);
            (void)use(std::move(broken));
        }
    }
}

}  // namespace
}  // namespace icecore
