#include "memory/page_tables.h"

#include <gtest/gtest.h>

#include "memory/segment_space.h"

namespace icecore {
namespace {

constexpr std::size_t kib = 1024, physicalSize = 2048 * kib;

/// Physical memory in which entries are set one by one.
class Machine {
public:
    void entry32(std::uint64_t table, std::uint64_t index, std::uint32_t value) {
        storeInteger(bytes_.data() + table + 4 * index, value);
    }
    void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
        storeInteger(bytes_.data() + table + 8 * index, value);
    }
    /// Each 8 bytes of memory hold their own address, where nothing else was put.
    [[nodiscard]] std::shared_ptr<const AddressSpace> physical(std::uint64_t size) const {
        SegmentSpaceBuilder builder(memorySource(bytes_, "memory"));
        builder.addStored(Range::ofSize(0, size), 0);
        return builder.build();
    }

private:
    std::vector<std::byte> bytes_ = [] {
        std::vector<std::byte> bytes(physicalSize);
        for (std::uint64_t at = 0x100000; at < bytes.size(); at += 8)
            storeInteger(bytes.data() + at, at);
        return bytes;
    }();
};

void expectAt(const AddressSpace& physical, const PageTables& tables, std::uint64_t address,
              std::uint64_t where, std::uint64_t left) {
    SCOPED_TRACE(std::string(toString(tables.paging)));
    const Translation place = translate(physical, tables, address);
    EXPECT_EQ(place.absence, Absence::none);
    EXPECT_EQ(place.physical, where);
    EXPECT_EQ(place.left, left);
}

Absence absenceAt(const AddressSpace& physical, const PageTables& tables, std::uint64_t address) {
    return translate(physical, tables, address).absence;
}

TEST(PageTables, X86WithSmallAndLargePages) {
    Machine machine;
    // 0x80123456: directory 0x200, table 0x123.
    machine.entry32(0x1000, 0x200, 0x2000 | 0x63);
    machine.entry32(0x2000, 0x123, 0x150000 | 0x63);
    machine.entry32(0x1000, 0x201, 0x00400000 | 0xe3);              // 4 MiB
    machine.entry32(0x1000, 0x202, 0x00800000 | 3U << 13U | 0xe3);  // PSE-36: at 0x3'00800000
    machine.entry32(0x1000, 0x203, 0x7ff000 | 0x63);                // a table beyond the memory
    machine.entry32(0x2000, 0x124, 0x1234 << 12U | 0x80);           // paged out
    const auto physical = machine.physical(physicalSize);
    const PageTables tables{Paging::x86, 0x1018, {}, false};
    expectAt(*physical, tables, 0x80123456, 0x150456, 0xbaa);
    expectAt(*physical, tables, 0x80412345, 0x00412345, 0x400000 - 0x12345);
    expectAt(*physical, tables, 0x80800000, 0x300800000, 0x400000);
    EXPECT_EQ(absenceAt(*physical, tables, 0x80124000), Absence::not_present);
    EXPECT_EQ(absenceAt(*physical, tables, 0x80125000), Absence::not_mapped);
    EXPECT_EQ(absenceAt(*physical, tables, 0x80c00000), Absence::not_captured);
    EXPECT_EQ(absenceAt(*physical, tables, 0x180123456), Absence::not_mapped);
}

TEST(PageTables, X86WithPae) {
    Machine machine;
    // The root need only be aligned to 32 bytes. 0x80123456: 2, 0, 0x123.
    machine.entry(0x1020, 2, 0x2000 | 1);
    machine.entry(0x2000, 0, 0x3000 | 0x63);
    machine.entry(0x3000, 0x123, 0x8000'0000'0015'0063);  // bit 63: no execution
    machine.entry(0x2000, 1, 0x1'0020'0000 | 0xe3);       // 2 MiB beyond 4 GiB
    const auto physical = machine.physical(physicalSize);
    const PageTables tables{Paging::x86_pae, 0x1020, {}, false};
    expectAt(*physical, tables, 0x80123456, 0x150456, 0xbaa);
    expectAt(*physical, tables, 0x80212345, 0x1'0021'2345, 0x200000 - 0x12345);
    EXPECT_EQ(absenceAt(*physical, tables, 0xc0000000), Absence::not_mapped);
}

TEST(PageTables, X64WithFourLevels) {
    Machine machine;
    // 0xfffff80312345678: 0x1f0, 0x00c, 0x091, 0x145.
    machine.entry(0x1000, 0x1f0, 0x2000 | 0x63);
    machine.entry(0x2000, 0x00c, 0x3000 | 0x63);
    machine.entry(0x3000, 0x091, 0x4000 | 0x63);
    machine.entry(0x4000, 0x145, 0x150000 | 0x63);
    machine.entry(0x3000, 0x092, 0x200000 | 0xe3);                // 2 MiB
    machine.entry(0x2000, 0x00d, 0x40000000 | 0xe3 | 1U << 12U);  // 1 GiB; bit 12 is PAT
    const auto physical = machine.physical(physicalSize);
    const PageTables tables{Paging::x64, 0x8000000000001002, {}, false};
    expectAt(*physical, tables, 0xfffff80312345678, 0x150678, 0x988);
    expectAt(*physical, tables, 0xfffff80312412345, 0x212345, 0x200000 - 0x12345);
    expectAt(*physical, tables, 0xfffff80340000001, 0x40000001, 0x3fffffff);
    EXPECT_EQ(absenceAt(*physical, tables, 0x0000f80312345678), Absence::not_mapped)
        << "not canonical";
    // The same tables seen with five levels lead elsewhere.
    EXPECT_EQ(absenceAt(*physical, {Paging::x64_57, 0x1000, {}, false}, 0xfffff80312345678),
              Absence::not_mapped);
}

TEST(PageTables, X64WithFiveLevels) {
    Machine machine;
    // 0xff12345678abcdef: bits 56..48 = 0x112, 0x068, 0x159, 0x1c5, 0x0bc.
    machine.entry(0x1000, 0x112, 0x2000 | 0x63);
    machine.entry(0x2000, 0x068, 0x3000 | 0x63);
    machine.entry(0x3000, 0x159, 0x4000 | 0x63);
    machine.entry(0x4000, 0x1c5, 0x5000 | 0x63);
    machine.entry(0x5000, 0x0bc, 0x160000 | 0x63);
    const auto physical = machine.physical(physicalSize);
    const PageTables tables{Paging::x64_57, 0x1000, {}, false};
    expectAt(*physical, tables, 0xff12345678abcdef, 0x160def, 0x211);
    EXPECT_EQ(absenceAt(*physical, tables, 0x0112345678abcdef), Absence::not_mapped);
    const auto space = translatedSpace(physical, tables);
    EXPECT_EQ(space->readInteger<std::uint64_t>(0xff12345678abc000), 0x160000U);
    const auto extents = space->extents(Range::all());
    ASSERT_EQ(extents.size(), 1U);
    EXPECT_EQ(extents[0].range, Range::ofSize(0xff12345678abc000, 0x1000));
}

TEST(PageTables, Arm64WithOneTableOrTwo) {
    Machine machine;
    // 0xfffff80312345678 as above; blocks of 2 MiB and 1 GiB end in 01, tables and pages in 11.
    machine.entry(0x1000, 0x1f0, 0x2000 | 3);
    machine.entry(0x2000, 0x00c, 0x3000 | 3);
    machine.entry(0x3000, 0x091, 0x4000 | 3);
    machine.entry(0x4000, 0x145, 0x0060'0000'0015'0703);
    machine.entry(0x4000, 0x146, 0x151000 | 1);  // reserved in the last level
    machine.entry(0x3000, 0x092, 0x0060'0000'0020'0701);
    machine.entry(0x2000, 0x00d, 0x40000000 | 0x701);
    // The lower half's own table, 0x0000123456789abc: 0x024, 0x0d1, 0x0b3, 0x189.
    machine.entry(0x8000, 0x024, 0x9000 | 3);
    machine.entry(0x9000, 0x0d1, 0xa000 | 3);
    machine.entry(0xa000, 0x0b3, 0xb000 | 3);
    machine.entry(0xb000, 0x189, 0x170000 | 3);
    const auto physical = machine.physical(physicalSize);
    const PageTables one{Paging::arm64, 0x1000, {}, false};
    expectAt(*physical, one, 0xfffff80312345678, 0x150678, 0x988);
    expectAt(*physical, one, 0xfffff80312412345, 0x212345, 0x200000 - 0x12345);
    expectAt(*physical, one, 0xfffff80340000001, 0x40000001, 0x3fffffff);
    EXPECT_EQ(absenceAt(*physical, one, 0xfffff80312346000), Absence::not_present);
    const PageTables two{Paging::arm64, 0x8000, 0x0042'0000'0000'1000, false};
    expectAt(*physical, two, 0xfffff80312345678, 0x150678, 0x988);
    expectAt(*physical, two, 0x0000123456789abc, 0x170abc, 0x544);
    EXPECT_EQ(absenceAt(*physical, two, 0x0001123456789abc), Absence::not_mapped);
    const auto extents = translatedSpace(physical, two)->extents(Range::all());
    ASSERT_FALSE(extents.empty());
    EXPECT_EQ(extents.front().range, Range::ofSize(0x0000123456789000, 0x1000));
    EXPECT_EQ(extents[1].range.begin(), 0xfffff80312345000);
}

TEST(PageTables, Arm64WithLargerGranules) {
    Machine machine;
    // 16 KiB, 0x0000800012345678: 1, 0, 0x009, 0x0d1.
    machine.entry(0x4000, 1, 0x8000 | 3);
    machine.entry(0x8000, 0, 0xc000 | 3);
    machine.entry(0xc000, 0x009, 0x10000 | 3);
    machine.entry(0x10000, 0x0d1, 0x154000 | 3);
    machine.entry(0xc000, 0x00a, 0x4000000 | 1);  // a block of 32 MiB
    // 64 KiB, 0x0000040012345678: 1, 0, 0x1234.
    machine.entry(0x20000, 1, 0x30000 | 3);
    machine.entry(0x30000, 0, 0x40000 | 3);
    machine.entry(0x40000, 0x1234, 0x160000 | 3);
    machine.entry(0x30000, 1, 0x2000'0000 | 1);  // a block of 512 MiB
    const auto physical = machine.physical(physicalSize);
    const PageTables small{Paging::arm64_16k, 0x4000, 0x4000, false};
    expectAt(*physical, small, 0x0000800012345678, 0x155678, 0x4000 - 0x1678);
    expectAt(*physical, small, 0xffff800012345678, 0x155678, 0x4000 - 0x1678);
    expectAt(*physical, small, 0x0000800014000010, 0x4000010, 0x1fffff0);
    const PageTables large{Paging::arm64_64k, 0x20000, 0x20000, false};
    expectAt(*physical, large, 0x0000040012345678, 0x165678, 0x10000 - 0x5678);
    expectAt(*physical, large, 0x0000040020000010, 0x2000'0010, 0x1fff'fff0);
}

TEST(PageTables, TransitionCountsOnWindowsOnly) {
    Machine machine;
    machine.entry(0x1000, 0, 0x2000 | 3);
    machine.entry(0x2000, 0, 0x3000 | 3);
    machine.entry(0x3000, 0, 0x4000 | 3);
    machine.entry(0x4000, 5, 0x150000 | 0x800);  // in transition
    machine.entry(0x4000, 6, 0x151000 | 0xc00);  // a prototype
    const auto physical = machine.physical(physicalSize);
    for (const Paging paging : {Paging::x64, Paging::arm64}) {
        const PageTables windows{paging, 0x1000, {}, true};
        const PageTables other{paging, 0x1000, {}, false};
        expectAt(*physical, windows, 0x5000, 0x150000, 0x1000);
        EXPECT_EQ(absenceAt(*physical, other, 0x5000), Absence::not_present);
        EXPECT_EQ(absenceAt(*physical, windows, 0x6000), Absence::not_present);
    }
}

TEST(PageTables, ReadsGoOnOverPagesAndStopAtHoles) {
    Machine machine;
    machine.entry(0x1000, 0, 0x2000 | 3);
    machine.entry(0x2000, 0, 0x3000 | 3);
    machine.entry(0x3000, 0, 0x4000 | 3);
    machine.entry(0x4000, 0x10, 0x180000 | 3);
    machine.entry(0x4000, 0x11, 0x150000 | 3);
    machine.entry(0x4000, 0x12, 0x1f0000 | 3);  // beyond what is in the dump
    const auto physical = machine.physical(0x1f0000);
    const auto space = translatedSpace(physical, {Paging::x64, 0x1000, {}, false});
    std::vector<std::byte> bytes(0x3000);
    const ReadOutcome got = space->read(0x10ff8, bytes);
    EXPECT_EQ(got.bytes, 0x1008U);
    EXPECT_EQ(got.stopped, Absence::not_captured);
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data()), 0x180ff8U);
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data() + 8), 0x150000U);
    EXPECT_EQ(
        space->extents(Range::all()),
        (std::vector<Extent>{{Range::ofSize(0x10000, 0x2000), Absence::none, false},
                             {Range::ofSize(0x12000, 0x1000), Absence::not_captured, false}}));
    EXPECT_EQ(space->extents(Range::ofSize(0x11800, 0x100)),
              (std::vector<Extent>{{Range::ofSize(0x11800, 0x100), Absence::none, false}}));
    EXPECT_NE(space->explain(0x10008).find("physical 0x180008"), std::string::npos);
    EXPECT_NE(space->explain(0x13000).find("not mapped"), std::string::npos);
}

TEST(PageTables, TablesThatLeadToEachOtherEnd) {
    Machine machine;
    for (std::uint64_t i = 0; i < 512; ++i)
        machine.entry(0x1000, i, 0x1000 | 3);  // each entry of each level is the root again
    const auto physical = machine.physical(physicalSize);
    const auto space = translatedSpace(physical, {Paging::x64_57, 0x1000, {}, false});
    EXPECT_FALSE(space->extents(Range::all()).empty());
    EXPECT_EQ(space->readInteger<std::uint64_t>(0x1238), 0x1003U);
}

}  // namespace
}  // namespace icecore
