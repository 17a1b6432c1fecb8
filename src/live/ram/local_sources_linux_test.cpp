// Sources of this machine's memory over files that look like the kernel's.
#include "live/ram/local_sources_linux.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/progress.h"
#include "bytes/elf_layout.h"
#include "live/ram/iomem.h"
#include "live/ram/offset_memory_linux.h"
#include "live/ram/recorded_memory.h"
#include "support/scratch.h"

namespace icecore::ram {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view iomemText =
    "00000000-00000fff : Reserved\n"
    "00001000-0009fbff : System RAM\n"
    "00100000-001fffff : System RAM\n"
    "  00180000-0018ffff : Kernel code\n"
    "fd000000-fdffffff : PCI Bus 0000:00\n"
    "100000000-1001fffff : System RAM\n"
    "200000000-20fffffff : Persistent Memory\n"
    "  200000000-2000fffff : System RAM\n";

TEST(Iomem, SystemRamAtAnyLevel) {
    const auto ranges = parseIomem(iomemText);
    ASSERT_TRUE(ranges);
    EXPECT_THAT(*ranges,
                ElementsAre(Range::between(0x1000, 0x9fc00), Range::between(0x100000, 0x200000),
                            Range::between(0x100000000, 0x100200000),
                            Range::between(0x200000000, 0x200100000)));
}

TEST(Iomem, HiddenAddressesAndNonsense) {
    const auto hidden =
        parseIomem("00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n");
    ASSERT_FALSE(hidden);
    EXPECT_EQ(hidden.error().code, Errc::permission);
    for (const std::string_view text :
         {"", "x-y : System RAM", "5-3 : System RAM", "1000 : System RAM",
          "0-ffffffffffffffff : System RAM", "1000-1fff System RAM"})
        EXPECT_FALSE(parseIomem(text)) << text;
}

std::vector<Range> someRam() {
    return {Range::between(0x1000, 0x9fc00), Range::between(0x100000, 0x200000),
            Range::between(0x100000000, 0x100200000)};
}

TEST(Kcore, RangesByPhysicalAddress) {
    // The kernel's text lies over RAM that the direct mapping has too; modules have no address.
    const std::vector<KcoreSegment> segments = {
        {0xffffffff81000000, 0x100000, 0x7000000, 0x180000},
        {0xffffc90000000000, 0x1fffffffffff, 0x1000, std::nullopt},
        {0xffff888000001000, 0x9e000, 0x10000, 0x1000},
        {0xffff888000100000, 0x100000, 0x200000, 0x100000},
        {0xffff888100000000, 0x100000, 0x900000, 0x100000000}};
    const KcoreMap map = mapKcore(segments, someRam());
    const auto* text = map.offsets.find(0x180010);
    ASSERT_NE(text, nullptr);
    EXPECT_EQ(text->value, 0x7000000U);
    const auto* before = map.offsets.find(0x100000);
    ASSERT_NE(before, nullptr);
    EXPECT_EQ(before->value, 0x200000U);
    EXPECT_EQ(before->range, Range::between(0x100000, 0x180000));
    // The end that is no page's, and half of the last range.
    EXPECT_THAT(map.missing, ElementsAre(Range::between(0x9f000, 0x9fc00),
                                         Range::between(0x100100000, 0x100200000)));
}

TEST(Kcore, OldKernelsTellNoPhysicalAddresses) {
    // The mapping is randomized by whole gigabytes, in the second case with five levels.
    for (const std::uint64_t base : {0xffff9a8640000000, 0xff11000000000000}) {
        const std::vector<KcoreSegment> segments = {
            {0xffffffffa0000000, 0x1000000, 0x50000, std::nullopt},
            {base + 0x1000, 0x9e000, 0x10000, std::nullopt},
            {base + 0x100000, 0x100000, 0x200000, std::nullopt},
            {base + 0x100000000, 0x200000, 0x900000, std::nullopt}};
        const KcoreMap map = mapKcore(segments, someRam());
        EXPECT_THAT(map.missing, ElementsAre(Range::between(0x9f000, 0x9fc00)));
        const auto* high = map.offsets.find(0x100000000);
        ASSERT_NE(high, nullptr);
        EXPECT_EQ(high->value, 0x900000U);
    }
}

/// A folder with an iomem and a kcore in it.
class FakeKernel : public testing::Test {
protected:
    FakeKernel() {
        paths_ = {path("iomem"),     path("kcore"),      path("crash"),   path("mem"),
                  path("flags"),     path("lockdown"),   path("cmdline"), path("status"),
                  path("namespace"), {path("dockerenv")}};
        write("iomem", "00001000-00002fff : System RAM\n00004000-00004fff : System RAM\n");
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_.file(name); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
    }
    /// Two ranges of RAM, the first page of them full of 'a', the next of 'b', then 'd'.
    void writeKcore() const {
        std::string bytes(0x5000, '\0');
        elf::Header64 header{};
        std::ranges::copy(elf::magic, header.ident);
        header.ident[elf::identClass] = std::byte{elf::class64};
        header.type = elf::typeCore;
        header.programOffset = sizeof header;
        header.programEntrySize = sizeof(elf::Program64);
        header.programCount = 3;
        std::vector<elf::Program64> segments(3);
        const std::string note =
            std::string("\x0b\0\0\0\x08\0\0\0\0\0\0\0VMCOREINFO\0\0A=1\nB=2\n", 12 + 12 + 8);
        segments[0].type = elf::segmentNote;
        segments[0].offset = 0x200;
        segments[0].fileSize = note.size();
        segments[1].type = segments[2].type = elf::segmentLoad;
        segments[1].offset = 0x1000;
        segments[1].physicalAddress = 0x1000;
        segments[1].fileSize = 0x2000;
        segments[2].offset = 0x4000;
        segments[2].physicalAddress = 0x4000;
        segments[2].fileSize = 0x1000;
        std::memcpy(bytes.data(), &header, sizeof header);
        std::memcpy(bytes.data() + sizeof header, segments.data(), 3 * sizeof(elf::Program64));
        bytes.replace(0x200, note.size(), note);
        bytes.replace(0x1000, 0x1000, std::string(0x1000, 'a'));
        bytes.replace(0x2000, 0x1000, std::string(0x1000, 'b'));
        bytes.replace(0x4000, 0x1000, std::string(0x1000, 'd'));
        write("kcore", bytes);
    }
    /// Flags of pages 0 to 5, all harmless but those named.
    void writeFlags(std::initializer_list<std::pair<std::size_t, int>> bits) const {
        std::vector<std::uint64_t> flags(6, 1);
        for (const auto& [page, bit] : bits)
            flags[page] |= std::uint64_t{1} << bit;
        write("flags", std::string(reinterpret_cast<const char*>(flags.data()), 48));
    }

    tests::Scratch folder_;
    Paths paths_;
};

TEST_F(FakeKernel, KcoreIsChosenAndRead) {
    writeKcore();
    writeFlags({});
    std::vector<Attempt> attempts;
    RamOptions options;
    options.paths = paths_;
    const auto source = openRam("auto", options, attempts);
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ(source->name, "kcore");
    EXPECT_EQ(source->kernelInfo, "A=1\nB=2\n");
    EXPECT_TRUE(attempts.empty());
    EXPECT_FALSE(source->issues.lossy());
    EXPECT_EQ(source->memory->readInteger<std::uint8_t>(0x2fff), 'b');
    EXPECT_EQ(source->memory->readInteger<std::uint8_t>(0x4000), 'd');
    std::byte two[2];
    EXPECT_EQ(source->memory->read(0x2fff, two).bytes, 1U);
    EXPECT_EQ(source->memory->read(0x3000, two).stopped, Absence::not_mapped);
}

TEST_F(FakeKernel, PagesThatTheKernelHoldsBackAreUnreadAndNotZero) {
    writeKcore();
    writeFlags({{2, 19}, {4, 23}});  // poisoned, offline
    const auto source = openKcore(paths_);
    ASSERT_TRUE(source) << source.error().describe();
    SilentProgress progress;
    const RecordedMemory memory(source->memory, 0, progress);
    std::vector<std::byte> out(0x2000);
    EXPECT_EQ(memory.read(0x1000, out).bytes, 0x1000U);
    EXPECT_EQ(memory.read(0x2000, std::span(out).first(1)).stopped, Absence::unreadable);
    EXPECT_EQ(memory.read(0x4000, out).bytes, 0U);
    const auto unread = memory.unread();
    ASSERT_EQ(unread.size(), 2U);
    EXPECT_EQ(unread[0].range, Range::between(0x2000, 0x3000));
    EXPECT_EQ(unread[1].range, Range::between(0x4000, 0x5000));
    EXPECT_THAT(unread[0].why, HasSubstr("holds the page back"));
}

TEST_F(FakeKernel, RamThatKcoreLacksIsTold) {
    writeKcore();
    write("iomem", "00001000-00002fff : System RAM\n00008000-00009fff : System RAM\n");
    const auto source = openKcore(paths_);
    ASSERT_TRUE(source);
    EXPECT_TRUE(source->issues.lossy());
    std::byte one[1];
    EXPECT_EQ(source->memory->read(0x8000, one).stopped, Absence::unreadable);
    // And where iomem hides everything, kcore's own ranges are taken, and that is said.
    write("iomem", "00000000-00000000 : System RAM\n");
    const auto alone = openKcore(paths_);
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->memory->extents(Range::all()).size(), 2U);
    EXPECT_FALSE(alone->issues.empty());
}

TEST_F(FakeKernel, DamagedKcoresAreRefused) {
    writeKcore();
    std::ifstream file(path("kcore"), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(file), {}};
    for (std::size_t size = 0; size < 64 + 3 * 56; size += 7) {
        write("kcore", whole.substr(0, size));
        EXPECT_FALSE(openKcore(paths_)) << size;
    }
    std::string lying = whole;
    lying[56] = '\xff';
    lying[57] = '\xff';  // "look into section header 0", which is nowhere
    write("kcore", lying);
    EXPECT_FALSE(openKcore(paths_));
}

TEST_F(FakeKernel, TheErrorNamesEachSourceAndWhatWouldHelp) {
    write("lockdown", "none integrity [confidentiality]\n");
    write("status", "Name:\tx\nCapEff:\t0000000000000000\n");
    write("mem", "");
    std::vector<Attempt> attempts;
    RamOptions options;
    options.paths = paths_;
    const auto source = openRam("auto", options, attempts);
    ASSERT_FALSE(source);
    EXPECT_EQ(attempts.size(), 3U);
    for (const char* const part :
         {": kcore: is not there", "; crash: is not there: the driver", "; mem: most kernels close",
          "What would help: boot without lockdown", "qmp:SOCKET"})
        EXPECT_THAT(source.error().message, HasSubstr(part));
}

TEST_F(FakeKernel, ASourceThatWasAskedForIsNotNamedTwice) {
    RamOptions options;
    options.paths = paths_;
    write("mem", std::string(0x1800, 'm'));
    for (const auto& [source, text] :
         {std::pair{"kcore",
                    "is not there: the kernel was built without it (CONFIG_PROC_KCORE), or it is "
                    "hidden (" +
                        path("kcore") + ")"},
          {"crash", "is not there: the driver of Red Hat's crash is not loaded (modprobe crash) (" +
                        path("crash") + ")"},
          {"mem", "most kernels close it behind its first megabyte (CONFIG_STRICT_DEVMEM): " +
                      path("mem") + " ends before it (" + path("mem") + " at 0x2000)"}}) {
        std::vector<Attempt> attempts;
        const auto refused = openRam(source, options, attempts);
        ASSERT_FALSE(refused) << source;
        EXPECT_EQ(refused.error().describe(), text);
        ASSERT_EQ(attempts.size(), 1U);
        EXPECT_EQ(attempts[0].source, source);
    }
    // What would help is said behind it.
    write("lockdown", "none integrity [confidentiality]\n");
    std::vector<Attempt> attempts;
    const auto refused = openRam("crash", options, attempts);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                HasSubstr(path("crash") + "). What would help: boot without lockdown"));
}

TEST_F(FakeKernel, TheCrashDriverComesBeforeMem) {
    write("crash", std::string(0x5000, 'c'));
    write("mem", std::string(0x5000, 'm'));
    std::vector<Attempt> attempts;
    RamOptions options;
    options.paths = paths_;
    const auto source = openRam("auto", options, attempts);
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ(source->name, "crash");
    EXPECT_EQ(source->memory->readInteger<std::uint8_t>(0x4fff), 'c');
    ASSERT_EQ(attempts.size(), 1U);
    EXPECT_EQ(attempts[0].source, "kcore");
    // A driver that gives the first megabyte only, as /dev/mem does.
    write("crash", std::string(0x1000, 'c'));
    const auto other = openRam("auto", options, attempts);
    ASSERT_TRUE(other);
    EXPECT_EQ(other->name, "mem");
}

TEST_F(FakeKernel, MemIsReadWhereItsMiddleCanBe) {
    std::string bytes(0x5000, 'm');
    write("mem", bytes);
    const auto source = openMem(paths_);
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ(source->memory->readInteger<std::uint8_t>(0x4fff), 'm');
    // As most kernels have it: nothing behind the first pages.
    write("mem", bytes.substr(0, 0x1800));
    EXPECT_FALSE(openMem(paths_));
}

TEST(RecordedMemory, KeepsTheRate) {
    class Zeros final : public AddressSpace {
        [[nodiscard]] ReadOutcome read(std::uint64_t, std::span<std::byte> out) const override {
            return {out.size(), Absence::none};
        }
        [[nodiscard]] std::vector<Extent> extents(Range) const override { return {}; }
        [[nodiscard]] std::string explain(std::uint64_t) const override { return {}; }
    };
    SilentProgress progress;
    const RecordedMemory memory(std::make_shared<Zeros>(), 10'000'000, progress);
    std::vector<std::byte> out(2 << 20);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(memory.read(0, out).bytes, out.size());
    // Not faster than asked for; how much slower is the machine's affair.
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(150));
}

}  // namespace
}  // namespace icecore::ram
