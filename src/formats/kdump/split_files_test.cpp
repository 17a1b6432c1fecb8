// Dumps in several files, as makedumpfile --split writes them.
#include <gtest/gtest.h>

#include <fstream>

#include "formats/format.h"
#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "formats/kdump/layout.h"
#include "support/scratch.h"

namespace icecore::kdump {
namespace {

using image::testing::MadeUpMemory;
using Bytes = std::vector<std::byte>;

const std::vector<Range> ranges = {Range::between(0x1000, 0x9f000),
                                   Range::between(0x100000, 0x200000)};

/// What is written whole, with only the pages [first, end): header and bitmaps of everything, the
/// descriptors and bytes of these.
Bytes part(const Bytes& whole, std::uint64_t first, std::uint64_t end) {
    Header header;
    SubHeader sub;
    std::memcpy(static_cast<void*>(&header), whole.data(), sizeof header);
    const std::size_t block = header.blockSize;
    std::memcpy(static_cast<void*>(&sub), whole.data() + block, sizeof sub);
    sub.split = 1;
    sub.firstPage = sub.firstPage64 = first;
    sub.endPage = sub.endPage64 = end;
    const std::size_t half = header.bitmapBlocks * block / 2;
    const std::size_t bitmap = (1 + header.subHeaderBlocks) * block + half;
    const std::size_t table = bitmap + half;
    Bytes file(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(table));
    std::memcpy(file.data() + block, static_cast<const void*>(&sub), sizeof sub);
    std::vector<PageDescriptor> pages;
    std::uint64_t number = 0;
    for (std::uint64_t page = 0; page < half * 8; ++page) {
        const auto byte = std::to_integer<unsigned>(whole[bitmap + page / 8]);
        if ((byte >> page % 8 & 1U) == 0) continue;
        PageDescriptor descriptor;
        std::memcpy(static_cast<void*>(&descriptor),
                    whole.data() + table + number * sizeof descriptor, sizeof descriptor);
        ++number;
        if (page >= first && page < end) pages.push_back(descriptor);
    }
    std::uint64_t at = file.size() + pages.size() * sizeof(PageDescriptor);
    Bytes content;
    for (PageDescriptor& descriptor : pages) {
        const auto from = whole.begin() + static_cast<std::ptrdiff_t>(descriptor.offset);
        content.insert(content.end(), from, from + static_cast<std::ptrdiff_t>(descriptor.size));
        descriptor.offset = at;
        at += descriptor.size;
        file.insert(file.end(), bytesOf(descriptor).begin(), bytesOf(descriptor).end());
    }
    file.insert(file.end(), content.begin(), content.end());
    return file;
}

class KdumpSplit : public ::testing::Test {
protected:
    void SetUp() override {
        MemorySink sink;
        SilentProgress progress;
        const auto machine = image::testing::machineOf(std::make_shared<MadeUpMemory>(ranges));
        ASSERT_TRUE(formatByName("kdump")->writeImage(machine, {}, sink, progress));
        whole_ = sink.bytes();
    }
    void put(const std::string& name, const Bytes& bytes) {
        std::ofstream(scratch_.file(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    static void expectSame(const AddressSpace& memory, Range range) {
        Bytes page(4096);
        for (std::uint64_t at = range.begin(); at < range.end(); at += page.size()) {
            ASSERT_EQ(memory.read(at, page).bytes, page.size()) << at;
            for (std::size_t i = 0; i < page.size(); ++i)
                ASSERT_EQ(page[i], MadeUpMemory::byteAt(at + i)) << at + i;
        }
    }
    Bytes whole_;
    tests::Scratch scratch_;
};

TEST_F(KdumpSplit, FilesBesideEachOtherAreOneDump) {
    put("first", part(whole_, 0, 0x50));
    put("second", part(whole_, 0x50, 0x150));
    put("third", part(whole_, 0x150, 0x200));
    put("another.txt", Bytes(5000));
    for (const char* const name : {"first", "second", "third"}) {
        const auto snapshot = openDump(scratch_.file(name));
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        EXPECT_FALSE(snapshot->issues.lossy());
        EXPECT_EQ(image::storedRanges(*snapshot->machine->physical), ranges);
        for (const Range& range : ranges)
            expectSame(*snapshot->machine->physical, range);
    }
}

TEST_F(KdumpSplit, AMissingFileIsAHole) {
    put("first", part(whole_, 0, 0x50));
    put("third", part(whole_, 0x150, 0x200));
    const auto snapshot = openDump(scratch_.file("third"));
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->issues.lossy());
    const AddressSpace& memory = *snapshot->machine->physical;
    expectSame(memory, Range::between(0x1000, 0x50000));
    expectSame(memory, Range::between(0x150000, 0x200000));
    std::byte one[1];
    EXPECT_EQ(memory.read(0x50000, one).stopped, Absence::truncated);
    EXPECT_EQ(memory.read(0x14f000, one).stopped, Absence::truncated);
    EXPECT_EQ(memory.read(0xa0000, one).stopped, Absence::not_mapped);
}

}  // namespace
}  // namespace icecore::kdump
