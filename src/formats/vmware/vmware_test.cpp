// VMware's checkpoints, made from a specification: memory beside them and in them, regions,
// registers.
#include "formats/vmware/vmware.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "formats/vmware/checkpoint.h"
#include "formats/vmware/layout.h"
#include "support/scratch.h"

namespace icecore::vmware {
namespace {

using image::testing::MadeUpMemory;
using Bytes = std::vector<std::byte>;

/// Writes a checkpoint as VMware does: header, groups, and their tags.
class CheckpointMaker {
public:
    explicit CheckpointMaker(std::uint32_t magic) : magic_(magic) {}

    void beginGroup(const std::string& name) { groups_.emplace_back(name, Bytes()); }
    void tag(std::string_view name, const std::vector<std::uint32_t>& indices, std::uint64_t value,
             std::size_t size) {
        head(name, indices, static_cast<unsigned>(size));
        for (std::size_t i = 0; i < size; ++i)
            put(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void block(std::string_view name, const std::vector<std::uint32_t>& indices, const Bytes& bytes,
               bool compressed = false, std::uint16_t padding = 0) {
        head(name, indices, compressed ? compressedBlockSize : blockSize);
        for (int i = 0; i < 2; ++i) {
            if (magic_ == oldMagics[0])
                put(static_cast<std::uint32_t>(bytes.size()));
            else
                put(std::uint64_t{bytes.size()});
        }
        put(padding);
        Bytes& to = groups_.back().second;
        to.resize(to.size() + padding, std::byte{0xee});
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    [[nodiscard]] Bytes finish() {
        Bytes file;
        appendInteger(file, magic_);
        appendInteger(file, std::uint32_t{8});
        appendInteger(file, static_cast<std::uint32_t>(groups_.size()));
        std::uint64_t at = sizeof(Header) + groups_.size() * sizeof(Group);
        for (auto& [name, tags] : groups_) {
            tags.resize(tags.size() + 2);  // the end mark
            Group group{};
            std::ranges::copy(name, group.name);
            group.offset = at;
            group.size = tags.size();
            file.insert(file.end(), bytesOf(group).begin(), bytesOf(group).end());
            at += tags.size();
        }
        for (const auto& [name, tags] : groups_)
            file.insert(file.end(), tags.begin(), tags.end());
        return file;
    }

private:
    template <class T>
    void put(T value) {
        appendInteger(groups_.back().second, value);
    }
    void head(std::string_view name, const std::vector<std::uint32_t>& indices, unsigned size) {
        put(static_cast<std::uint8_t>(size | indices.size() << indicesShift));
        put(static_cast<std::uint8_t>(name.size()));
        for (const char c : name)
            put(static_cast<std::uint8_t>(c));
        for (const std::uint32_t index : indices)
            put(index);
    }
    std::uint32_t magic_;
    std::vector<std::pair<std::string, Bytes>> groups_;
};

/// A machine of 3 MiB below 4 GiB (with a hole as for devices) and 1 MiB above.
const std::vector<Range> ranges = {Range::ofSize(0, 0x300000),
                                   Range::ofSize(0x100000000, 0x100000)};

/// The bytes of `ranges`, one behind the other.
Bytes memoryBytes() {
    Bytes bytes;
    for (const Range& range : ranges) {
        for (std::uint64_t at = range.begin(); at < range.end(); ++at)
            bytes.push_back(MadeUpMemory::byteAt(at));
    }
    return bytes;
}

enum class Memory : std::uint8_t { beside, inside, compressed };

Bytes checkpoint(Memory memory, std::uint32_t magic = magics[0], bool split = true,
                 const Bytes& bytes = memoryBytes()) {
    CheckpointMaker maker(magic);
    maker.beginGroup("Checkpoint");
    maker.tag("fileversion", {}, 8, 4);
    maker.beginGroup("cpu");
    maker.tag("cpu:numVCPUs", {}, 2, 4);
    for (std::uint32_t cpu = 0; cpu < 2; ++cpu) {
        maker.tag("rip", {cpu}, 0xffffffff81000000 + cpu, 8);
        maker.tag("eflags", {cpu}, 0x246, 4);
        Bytes registers;
        for (std::uint64_t i = 0; i < 16; ++i)
            appendInteger(registers, 0x1000 * (cpu + 1) + i);
        maker.block("gpregs", {cpu}, registers);
        for (std::uint32_t i = 0; i < 5; ++i)
            maker.tag("CR64", {cpu, i}, i == 3 ? 0x1aa000 + cpu * 0x1000 : i, 8);
    }
    maker.beginGroup("memory");
    maker.tag("align_mask", {}, 0xffff, 4);
    maker.tag("regionsCount", {}, split ? 2 : 0, 4);
    std::uint64_t page = 0;
    for (std::uint32_t i = 0; split && i < 2; ++i) {
        maker.tag("regionPageNum", {i}, page, 4);
        maker.tag("regionPPN", {i}, ranges[i].begin() / pageSize, 4);
        maker.tag("regionSize", {i}, ranges[i].size() / pageSize, 4);
        page += ranges[i].size() / pageSize;
    }
    if (memory != Memory::beside)
        maker.block("Memory", {0, 0}, bytes, memory == Memory::compressed, 77);
    maker.beginGroup("behind");
    maker.tag("x", {}, 1, 1);
    return maker.finish();
}

class VmwareFiles : public ::testing::Test {
protected:
    void put(const std::string& name, const Bytes& bytes) {
        std::ofstream(scratch_.file(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    Snapshot open(const std::string& name, std::string_view format = "vmware") {
        auto snapshot = openDump(scratch_.file(name));
        EXPECT_TRUE(snapshot) << snapshot.error().describe();
        if (!snapshot) return {};
        EXPECT_EQ(snapshot->provenance.format, format);
        return *std::move(snapshot);
    }
    tests::Scratch scratch_;
};

void expectAll(const Snapshot& snapshot) {
    ASSERT_TRUE(snapshot.machine);
    EXPECT_FALSE(snapshot.issues.lossy());
    const AddressSpace& memory = *snapshot.machine->physical;
    EXPECT_EQ(image::storedRanges(memory), ranges);
    Bytes page(pageSize);
    for (const Range& range : ranges) {
        for (std::uint64_t at = range.begin(); at < range.end(); at += pageSize) {
            ASSERT_EQ(memory.read(at, page).bytes, page.size()) << at;
            for (std::size_t i = 0; i < page.size(); ++i)
                ASSERT_EQ(page[i], MadeUpMemory::byteAt(at + i)) << at + i;
        }
    }
    ASSERT_EQ(snapshot.machine->cpus.size(), 2U);
    const Machine::Cpu& cpu = snapshot.machine->cpus[1];
    EXPECT_EQ(cpu.translationRoot, 0x1ab000U);
    EXPECT_EQ(cpu.context.registers.pc(), 0xffffffff81000001U);
    EXPECT_EQ(cpu.context.registers.get(x64::rax), 0x2000U);
    EXPECT_EQ(cpu.context.registers.get(x64::rsp), 0x2005U);
    EXPECT_EQ(cpu.context.registers.get(x64::r15), 0x200fU);
    EXPECT_EQ(cpu.context.registers.get(x64::eflags), 0x246U);
}

TEST_F(VmwareFiles, MemoryBesideTheCheckpoint) {
    put("a.vmem", memoryBytes());
    for (const std::string state : {"a.vmss", "a.vmsn"}) {
        put(state, checkpoint(Memory::beside));
        expectAll(open("a.vmem"));
        expectAll(open(state));
        std::filesystem::remove(scratch_.file(state));
    }
    // Without one it is a raw image.
    EXPECT_EQ(image::storedRanges(*open("a.vmem", "raw").machine->physical),
              std::vector<Range>{Range::ofSize(0, 0x400000)});
}

TEST_F(VmwareFiles, MemoryInTheCheckpoint) {
    for (const std::uint32_t magic : {magics[0], magics[1], magics[2], magics[3], oldMagics[0]}) {
        put("b.vmss", checkpoint(Memory::inside, magic));
        expectAll(open("b.vmss"));
    }
    // Of a small machine nothing says how its memory is split.
    put("b.vmss", checkpoint(Memory::inside, magics[0], false));
    EXPECT_EQ(image::storedRanges(*open("b.vmss").machine->physical),
              std::vector<Range>{Range::ofSize(0, 0x400000)});
}

TEST_F(VmwareFiles, RegistersGoWhereTheyHaveAPlace) {
    put("d.vmss", checkpoint(Memory::inside));
    const Snapshot machine = open("d.vmss");
    for (const std::string format : {"elf", "kdump", "aff4", "lime"}) {
        SCOPED_TRACE(format);
        MemorySink sink;
        SilentProgress progress;
        const Format* const to = formatByName(format);
        const auto report = to->writeImage(machine, {}, sink, progress);
        ASSERT_TRUE(report);
        EXPECT_EQ(report->losses.lossy(), format == "lime");
        const auto again = to->open(memorySource(sink.bytes(), "d." + format));
        ASSERT_TRUE(again) << again.error().describe();
        if (format != "lime") expectAll(*again);
    }
}

TEST_F(VmwareFiles, WhatIsMissingIsSaid) {
    put("c.vmss", checkpoint(Memory::beside));
    auto alone = openDump(scratch_.file("c.vmss"));
    ASSERT_FALSE(alone);
    EXPECT_EQ(alone.error().code, Errc::not_found);
    put("c.vmss", checkpoint(Memory::compressed));
    alone = openDump(scratch_.file("c.vmss"));
    ASSERT_FALSE(alone);
    EXPECT_EQ(alone.error().code, Errc::unsupported);
    Bytes shorter = memoryBytes();
    shorter.resize(0x380000);
    put("c.vmss", checkpoint(Memory::beside));
    put("c.vmem", shorter);
    const Snapshot cut = open("c.vmem");
    EXPECT_TRUE(cut.issues.lossy());
    std::byte one[1];
    EXPECT_EQ(cut.machine->physical->read(0x10007ffff, one).bytes, 1U);
    EXPECT_EQ(cut.machine->physical->read(0x100080000, one).stopped, Absence::truncated);
}

/// A checkpoint with two pages in it, for breaking.
Bytes smallCheckpoint() {
    Bytes pages(2 * pageSize);
    for (std::size_t i = 0; i < pages.size(); ++i)
        pages[i] = MadeUpMemory::byteAt(0x2000 + i);
    CheckpointMaker maker(magics[0]);
    maker.beginGroup("cpu");
    maker.tag("rax", {0}, 5, 8);
    maker.tag("CR64", {0, 3}, 0x1000, 8);
    maker.beginGroup("memory");
    maker.tag("regionsCount", {}, 1, 4);
    maker.tag("regionPageNum", {0}, 0, 4);
    maker.tag("regionPPN", {0}, 2, 4);
    maker.tag("regionSize", {0}, 2, 4);
    maker.block("Memory", {0, 0}, pages, false, 3);
    return maker.finish();
}

/// Reads all it says it has; nothing is invented where `same`.
void use(Bytes bytes, bool same) {
    const auto source = memorySource(std::move(bytes), "broken.vmss");
    const Format format = vmwareFormat();
    if (!format.probe(*source)) return;
    const auto snapshot = format.open(source);
    if (!snapshot) {
        EXPECT_FALSE(snapshot.error().message.empty());
        return;
    }
    const AddressSpace& memory = *snapshot->machine->physical;
    Bytes page(2 * pageSize);
    bool whole = true;
    for (const Extent& extent : memory.extents(Range::all()))
        (void)memory.read(extent.range.begin(), page);
    const ReadOutcome got = memory.read(0x2000, page);
    for (std::size_t i = 0; same && i < got.bytes; ++i)
        whole &= page[i] == MadeUpMemory::byteAt(0x2000 + i);
    EXPECT_TRUE(whole);
    EXPECT_TRUE(!same || got.bytes == page.size() || snapshot->issues.lossy());
}

TEST(Vmware, CutAtEveryOffset) {
    const Bytes file = smallCheckpoint();
    for (std::size_t cut = 0; cut < file.size(); cut += cut < 700 ? 1 : 61)
        use({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(cut)}, cut > 600);
}

TEST(Vmware, EveryFieldWrong) {
    const Bytes file = smallCheckpoint();
    for (std::size_t at = 0; at + 8 <= 600; ++at) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffff}, std::uint64_t{1} << 31,
              std::uint64_t{1} << 51, std::uint64_t{UINT64_MAX}}) {
            Bytes broken = file;
            storeInteger(broken.data() + at, value);
            use(std::move(broken), false);
        }
    }
}

}  // namespace
}  // namespace icecore::vmware
