// What every format of memory images must do, asked of each row of the table that can be written.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "memory/segment_space.h"

namespace icecore::image::testing {
namespace {

/// A format and one of its codecs.
struct Way {
    std::string format;
    std::optional<Codec> codec;
};

std::vector<Way> ways() {
    std::vector<Way> all;
    for (const Format& format : allFormats()) {
        if (format.writeImage == nullptr || format.open == nullptr) continue;
        if (format.codecs.empty()) all.push_back({std::string(format.name), std::nullopt});
        for (const Codec codec : format.codecs)
            all.push_back({std::string(format.name), codec});
    }
    return all;
}

Written write(const Snapshot& snapshot, const Way& way) {
    MemorySink sink;
    SilentProgress progress;
    ImageOptions options;
    options.codec = way.codec;
    options.threads = 3;
    auto report = formatByName(way.format)->writeImage(snapshot, options, sink, progress);
    EXPECT_TRUE(report) << report.error().describe();
    EXPECT_TRUE(sink.finish());
    return {std::move(sink.bytes()), report ? *std::move(report) : WriteReport{}};
}

std::shared_ptr<const Source> sourceOf(std::vector<std::byte> bytes, const Way& way) {
    return memorySource(std::move(bytes),
                        "image" + std::string(formatByName(way.format)->extension));
}

Snapshot read(std::vector<std::byte> bytes, const Way& way) {
    const auto source = sourceOf(std::move(bytes), way);
    const auto format = recognise(*source);
    EXPECT_TRUE(format) << format.error().describe();
    if (!format) return {};
    EXPECT_EQ((*format)->name, way.format);
    auto snapshot = (*format)->open(source);
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

/// Every byte of `range` is what the sample has there.
void expectSame(const AddressSpace& memory, Range range) {
    std::vector<std::byte> piece(65536);
    for (std::uint64_t at = range.begin(); at < range.end();) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), range.end() - at));
        const ReadOutcome got = memory.read(at, std::span(piece).first(want));
        ASSERT_EQ(got.bytes, want) << hex(at + got.bytes) << ": " << toString(got.stopped);
        for (std::size_t i = 0; i < want; ++i) {
            if (piece[i] != MadeUpMemory::byteAt(at + i)) FAIL() << hex(at + i) << " differs";
        }
        at += want;
    }
}

class ImageFormat : public ::testing::TestWithParam<Way> {
protected:
    /// A raw image of something above 4 GiB would be that long, in memory.
    static std::vector<Range> sample() {
        return usualRanges(GetParam().format == "raw" ? 0x800000 : 0x100000000);
    }
};

TEST_P(ImageFormat, GivesBackEveryByteAndNoMore) {
    const auto memory = std::make_shared<MadeUpMemory>(sample());
    const Written written = write(machineOf(memory), GetParam());
    EXPECT_TRUE(written.report.unread.empty());
    EXPECT_EQ(written.report.bytes, written.bytes.size());
    const Snapshot snapshot = read(written.bytes, GetParam());
    ASSERT_TRUE(snapshot.machine);
    EXPECT_FALSE(snapshot.issues.lossy());
    for (const Range& range : sample())
        expectSame(*snapshot.machine->physical, range);
    if (GetParam().format == "raw") return;  // cannot tell what was there
    std::vector<Range> ranges = storedRanges(*snapshot.machine->physical);
    for (Range& range : ranges)  // formats of whole pages fill the last one up
        range = Range::between(range.begin(), range.end() == 0xa0000 ? 0x9fc00 : range.end());
    EXPECT_EQ(ranges, sample());
}

TEST_P(ImageFormat, ManySmallRangesAndEmptyMemory) {
    std::vector<Range> ranges;
    ranges.reserve(300);
    for (std::uint64_t i = 0; i < 300; ++i)
        ranges.push_back(Range::ofSize(0x1000 * (1 + 3 * i), 0x1000 * (1 + i % 2)));
    const Written written = write(machineOf(std::make_shared<MadeUpMemory>(ranges)), GetParam());
    const Snapshot snapshot = read(written.bytes, GetParam());
    ASSERT_TRUE(snapshot.machine);
    for (const Range& range : ranges)
        expectSame(*snapshot.machine->physical, range);
    if (GetParam().format != "raw") {
        EXPECT_EQ(storedRanges(*snapshot.machine->physical), ranges);
    }
}

TEST_P(ImageFormat, PagesThatCannotBeReadAreTold) {
    const std::vector<Range> failing = {Range::between(0x105000, 0x107000),
                                        Range::ofSize(sample().back().begin() + 0xff000, 0x1000)};
    const Written written =
        write(machineOf(std::make_shared<MadeUpMemory>(sample(), failing)), GetParam());
    EXPECT_EQ(written.report.unread, failing);
    EXPECT_TRUE(written.report.losses.lossy());
    const Snapshot snapshot = read(written.bytes, GetParam());
    ASSERT_TRUE(snapshot.machine);
    const AddressSpace& memory = *snapshot.machine->physical;
    expectSame(memory, Range::between(0x100000, 0x105000));
    expectSame(memory, Range::between(0x107000, 0x1ff000));
    std::byte one[1];
    const std::string& format = GetParam().format;
    if (format == "elf" || format == "aff4") {
        EXPECT_EQ(memory.read(0x105000, one).stopped, Absence::unreadable);
    } else if (format == "kdump") {
        EXPECT_EQ(memory.read(0x105000, one).bytes, 0U);
    }
}

TEST_P(ImageFormat, CutAtEveryOffset) {
    const std::vector<Range> ranges = {Range::between(0x2000, 0x3000),
                                       Range::between(0x5000, 0x7000)};
    const Written written = write(machineOf(std::make_shared<MadeUpMemory>(ranges)), GetParam());
    const std::size_t size = written.bytes.size();
    for (std::size_t cut = 0; cut < size; cut += cut < 600 || cut + 600 > size ? 1 : 29) {
        const auto source = sourceOf(
            {written.bytes.begin(), written.bytes.begin() + static_cast<std::ptrdiff_t>(cut)},
            GetParam());
        const auto format = recognise(*source);
        if (!format) continue;
        const auto snapshot = (*format)->open(source);
        if (!snapshot || !snapshot->machine) continue;
        // What is still there is right, and that something is missing is said.
        std::vector<std::byte> page(4096);
        bool complete = true;
        for (const Range& range : ranges) {
            const ReadOutcome got = snapshot->machine->physical->read(range.begin(), page);
            for (std::size_t i = 0; i < got.bytes; ++i)
                ASSERT_EQ(page[i], MadeUpMemory::byteAt(range.begin() + i)) << cut;
            complete &= got.bytes == page.size();
        }
        // Between two ranges LiME's and AVML's files have nothing that says whether more follows.
        const bool chain = GetParam().format == "lime" || GetParam().format == "avml";
        const bool between = chain && storedRanges(*snapshot->machine->physical) ==
                                          std::vector<Range>{ranges.front()};
        if (!complete && !between && GetParam().format != "raw") {
            EXPECT_TRUE(snapshot->issues.lossy()) << "cut at " << cut << " without a word";
        }
    }
}

TEST_P(ImageFormat, EveryFieldWrong) {
    const std::vector<Range> ranges = {Range::between(0x2000, 0x3000),
                                       Range::between(0x5000, 0x7000)};
    const Written written = write(machineOf(std::make_shared<MadeUpMemory>(ranges)), GetParam());
    std::vector<std::byte> page(8192);
    // Headers and tables stand in front in every format; the end may be one too.
    const std::size_t size = written.bytes.size();
    for (std::size_t at = 0; at + 8 <= size; at += at < 1024 || at + 1024 > size ? 4 : 196) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffff}, std::uint64_t{1} << 31,
              std::uint64_t{1} << 51, std::uint64_t{UINT64_MAX}}) {
            std::vector<std::byte> broken = written.bytes;
            storeInteger(broken.data() + at, value);
            const auto source = sourceOf(std::move(broken), GetParam());
            const auto format = recognise(*source);
            if (!format) continue;
            const auto snapshot = (*format)->open(source);
            if (!snapshot || !snapshot->machine) continue;
            for (const Extent& extent : snapshot->machine->physical->extents(Range::all()))
                (void)snapshot->machine->physical->read(extent.range.begin(), page);
        }
    }
}

TEST_P(ImageFormat, OverToEveryOtherAndBack) {
    const std::vector<Range> ranges = {Range::between(0x1000, 0x9fc00),
                                       Range::between(0x100000, 0x123000)};
    const auto memory = std::make_shared<MadeUpMemory>(ranges);
    const Written first = write(machineOf(memory), GetParam());
    for (const Way& other : ways()) {
        const Written second = write(read(first.bytes, GetParam()), other);
        const Snapshot there = read(second.bytes, other);
        ASSERT_TRUE(there.machine);
        const Written back = write(there, GetParam());
        const Snapshot again = read(back.bytes, GetParam());
        ASSERT_TRUE(again.machine);
        for (const Range& range : ranges)
            expectSame(*again.machine->physical, range);
    }
}

INSTANTIATE_TEST_SUITE_P(All, ImageFormat, ::testing::ValuesIn(ways()), [](const auto& which) {
    std::string name = which.param.format;
    std::ranges::replace(name, '-', '_');  // names of tests have none
    return name + (which.param.codec ? "_" + std::string(toString(*which.param.codec)) : "");
});

TEST(ImagePieces, AreCutAtMultiples) {
    const Pieces pieces({Range::between(0x1800, 0x2000), Range::between(0x3000, 0x5001)}, 0x1000);
    ASSERT_EQ(pieces.count(), 4U);
    EXPECT_EQ(pieces[0], Range::between(0x1800, 0x2000));
    EXPECT_EQ(pieces[1], Range::between(0x3000, 0x4000));
    EXPECT_EQ(pieces[3], Range::between(0x5000, 0x5001));
}

}  // namespace
}  // namespace icecore::image::testing
