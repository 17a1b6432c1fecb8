// Files of 32-bit machines: what we write of a 64-bit one, with the other's headers.
#include "formats/kdump/headers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "formats/kdump/kdump.h"

namespace icecore::kdump {
namespace {

using image::testing::MadeUpMemory;
using Bytes = std::vector<std::byte>;

const std::vector<Range> ranges = {Range::between(0x1000, 0x9f000),
                                   Range::between(0x100000, 0x140000)};

Bytes written() {
    Snapshot snapshot;
    snapshot.machine.emplace();
    snapshot.machine->physical = std::make_shared<MadeUpMemory>(ranges);
    MemorySink sink;
    SilentProgress none;
    EXPECT_TRUE(kdumpFormat().writeImage(snapshot, {}, sink, none));
    return std::move(sink.bytes());
}

template <class SubNarrow>
Bytes narrowed(const Bytes& wide, std::string_view machine) {
    Bytes file = wide;
    Header header;
    std::memcpy(static_cast<void*>(&header), file.data(), sizeof header);
    Header32 narrow{};
    std::memcpy(static_cast<void*>(&narrow), file.data(), offsetof(Header, padding));
    std::ranges::fill(narrow.machine, '\0');
    std::ranges::copy(machine, narrow.machine);
    narrow.seconds = 1'000'000'000;
    std::memcpy(static_cast<void*>(&narrow.status), static_cast<const void*>(&header.status),
                sizeof(Header) - offsetof(Header, status));
    std::fill_n(file.begin(), header.blockSize, std::byte{0});
    std::ranges::copy(bytesOf(narrow), file.begin());
    SubHeader sub;
    std::memcpy(static_cast<void*>(&sub), file.data() + header.blockSize, sizeof sub);
    SubNarrow subNarrow{};
    subNarrow.dumpLevel = sub.dumpLevel;
    subNarrow.notesOffset = sub.notesOffset;
    subNarrow.notesSize = static_cast<std::uint32_t>(sub.notesSize);
    subNarrow.maxPage64 = sub.maxPage64;
    std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(header.blockSize), sizeof sub,
                std::byte{0});
    std::ranges::copy(bytesOf(subNarrow),
                      file.begin() + static_cast<std::ptrdiff_t>(header.blockSize));
    return file;
}

void expectWhole(Bytes file, Arch arch) {
    const auto snapshot = kdumpFormat().open(memorySource(std::move(file), "narrow"));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->machine->system.arch, arch);
    EXPECT_EQ(snapshot->provenance.time, TimePoint(std::chrono::seconds(1'000'000'000)));
    const AddressSpace& memory = *snapshot->machine->physical;
    EXPECT_EQ(image::storedRanges(memory), ranges);
    for (const Range& range : ranges) {
        for (std::uint64_t at = range.begin(); at < range.end(); at += 777)
            ASSERT_EQ(memory.readInteger<std::uint8_t>(at),
                      std::to_integer<std::uint8_t>(MadeUpMemory::byteAt(at)))
                << at;
    }
}

TEST(KdumpHeaders, OfA32BitPc) {
    expectWhole(narrowed<SubHeader32>(written(), "i686"), Arch::x86);
}

TEST(KdumpHeaders, OfA32BitArmAlignedToEight) {
    expectWhole(narrowed<SubHeader32Aligned>(written(), "armv7l"), Arch::arm);
}

TEST(KdumpHeaders, OfABigEndianMachineAreRefusedByName) {
    Bytes file = written();
    std::reverse(file.begin() + offsetof(Header, blockSize),
                 file.begin() + offsetof(Header, blockSize) + 4);
    const auto snapshot = kdumpFormat().open(memorySource(std::move(file), "big"));
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().code, Errc::unsupported);
    EXPECT_NE(snapshot.error().describe().find("big-endian"), std::string::npos);
}

}  // namespace
}  // namespace icecore::kdump
