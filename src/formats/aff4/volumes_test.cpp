// Images of several volumes, as we write them: stripes, and volumes of a size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/container.h"
#include "formats/aff4/split_room.h"
#include "formats/aff4/volume_set.h"
#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "support/scratch.h"

namespace icecore::aff4 {
namespace {

using image::testing::machineOf;
using image::testing::MadeUpMemory;
using image::testing::usualRanges;

class Aff4Volumes : public testing::Test {
protected:
    /// `stripes` more files that are written together with "1.aff4", or as many as it takes for
    /// `mostBytes`.
    Result<WriteReport> write(const Snapshot& snapshot, unsigned stripes, std::uint64_t mostBytes,
                              std::optional<Codec> codec = {}, bool blockHashes = true) {
        ImageOptions options;
        options.blockHashes = blockHashes;
        options.codec = codec;
        options.threads = 2;
        options.volumes.emplace();
        options.volumes->firstName = "1.aff4";
        options.volumes->stripes = stripes;
        options.volumes->mostBytes = mostBytes;
        options.volumes->next = [this]() -> Result<ImageVolume> {
            const std::string name = std::to_string(++count_) + ".aff4";
            ASSIGN_OR_RETURN(auto sink, createFileSink(file(name), {.overwrite = true}));
            return ImageVolume{std::move(sink), name};
        };
        count_ = 1;
        ASSIGN_OR_RETURN(const auto first, createFileSink(file("1.aff4"), {.overwrite = true}));
        SilentProgress progress;
        auto report = writeImage(snapshot, options, *first, progress);
        if (report) TRY(first->finish());
        return report;
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    std::string volume(int number) { return file(std::to_string(number) + ".aff4"); }

    /// What the volume shows is what `memory` has, or why not.
    static testing::AssertionResult shows(const std::string& path, const AddressSpace& memory,
                                          bool whole = true) {
        const auto opened = openDump(path);
        if (!opened) return testing::AssertionFailure() << opened.error().describe();
        if (opened->issues.lossy() == whole)
            return testing::AssertionFailure() << path << ": issues";
        const AddressSpace& is = *opened->machine->physical;
        std::vector<std::byte> one(4096);
        std::vector<std::byte> other(4096);
        std::uint64_t truncated = 0;
        for (const Range& range : image::storedRanges(memory)) {
            for (std::uint64_t at = range.begin(); at < range.end();) {
                const std::uint64_t end = std::min(range.end(), alignDown(at, 4096) + 4096);
                const auto size = static_cast<std::size_t>(end - at);
                const auto should = memory.read(at, std::span(one).first(size));
                const auto got = is.read(at, std::span(other).first(size));
                at = end;
                if (!whole && got.stopped == Absence::truncated) {
                    ++truncated;
                    continue;
                }
                const auto count = static_cast<std::ptrdiff_t>(should.bytes);
                if (got.bytes != should.bytes || got.stopped != should.stopped ||
                    !std::equal(one.begin(), one.begin() + count, other.begin()))
                    return testing::AssertionFailure() << path << " at " << hex(end - size) << ": "
                                                       << got.bytes << " " << toString(got.stopped);
            }
        }
        if (whole == (truncated > 0))
            return testing::AssertionFailure() << truncated << " pages are truncated";
        return testing::AssertionSuccess();
    }
    /// How many checks of the volume are good, or -1 where one is not.
    static int good(const std::string& path) {
        SilentProgress progress;
        const auto source = openMappedFile(path);
        if (!source) return -1;
        const auto checks = verify(*source, progress);
        if (!checks) return -1;
        for (const FormatCheck& check : *checks) {
            if (check.good) continue;
            GTEST_LOG_(INFO) << path << ": " << check.what << " " << check.result;
            return -1;
        }
        return static_cast<int>(checks->size());
    }

    tests::Scratch scratch_;
    int count_ = 1;
};

/// 5 MiB, of which some pages cannot be read.
std::vector<Range> failing() {
    return {Range::ofSize(0x105000, 0x1000), Range::ofSize(0x1f00000, 0x3000)};
}
std::vector<Range> larger() {
    return {Range::between(0x1000, 0x9fc00), Range::ofSize(0x100000, 0x200000),
            Range::ofSize(0x1e00000, 0x280000), Range::ofSize(0x100000000, 0x123000)};
}

TEST_F(Aff4Volumes, StripesShowTheImageFromEachVolume) {
    const auto memory = std::make_shared<MadeUpMemory>(larger(), failing());
    for (const Codec codec :
         {Codec::snappy, Codec::lz4, Codec::deflate, Codec::zlib, Codec::none}) {
        for (const unsigned stripes : {1U, 2U, 4U}) {
            const auto report = write(machineOf(memory), stripes, 0, codec);
            ASSERT_TRUE(report) << report.error().describe();
            EXPECT_EQ(report->unread, failing());
            ASSERT_EQ(count_, static_cast<int>(stripes) + 1);
            std::uint64_t bytes = 0;
            for (int number = 1; number <= count_; ++number) {
                EXPECT_TRUE(shows(volume(number), *memory)) << toString(codec);
                bytes += std::filesystem::file_size(volume(number));
                if (codec == Codec::snappy) {
                    EXPECT_GE(good(volume(number)), 5 * count_ + 1);
                }
            }
            EXPECT_EQ(report->bytes, bytes);
        }
    }
}

TEST_F(Aff4Volumes, TheyNeedNoHashesOfBlocks) {
    const auto memory = std::make_shared<MadeUpMemory>(larger(), failing());
    for (const auto& [stripes, mostBytes] : {std::pair{2U, 0U}, {0U, 1200U << 10}}) {
        ASSERT_TRUE(write(machineOf(memory), stripes, mostBytes, Codec::none, false));
        ASSERT_GT(count_, 2);
        for (int number = 1; number <= count_; ++number) {
            EXPECT_TRUE(shows(volume(number), *memory)) << number;
            EXPECT_GT(good(volume(number)), 0) << number;
        }
    }
}

TEST_F(Aff4Volumes, BeviesGoRoundAllVolumes) {
    const auto memory = std::make_shared<MadeUpMemory>(larger());
    ASSERT_TRUE(write(machineOf(memory), 2, 0, Codec::none));
    std::vector<std::uintmax_t> sizes;
    for (int number = 1; number <= 3; ++number)
        sizes.push_back(std::filesystem::file_size(volume(number)));
    // Bevies of some chunks each: none has two more than another.
    EXPECT_LT(std::ranges::max(sizes) - std::ranges::min(sizes), 2 * 128U << 10);
    EXPECT_GT(std::ranges::min(sizes), 1U << 20);
}

TEST_F(Aff4Volumes, VolumesOfASizeAreNoLongerAndFindEachOther) {
    const auto memory = std::make_shared<MadeUpMemory>(larger(), failing());
    for (const auto& [most, codec] : {std::pair{std::uint64_t{256} << 10, Codec::none},
                                      {std::uint64_t{400000}, Codec::none},
                                      {std::uint64_t{1} << 20, Codec::snappy},
                                      {std::uint64_t{200000}, Codec::lz4},
                                      {std::uint64_t{1} << 20, Codec::deflate},
                                      {std::uint64_t{220000}, Codec::zlib}}) {
        const auto report = write(machineOf(memory), 0, most, codec);
        ASSERT_TRUE(report) << report.error().describe();
        EXPECT_FALSE(report->losses.lossy() && report->unread.empty());
        if (codec == Codec::none) {
            EXPECT_GT(count_, 10);
        }
        std::uint64_t bytes = 0;
        for (int number = 1; number <= count_; ++number) {
            EXPECT_LE(std::filesystem::file_size(volume(number)), most);
            bytes += std::filesystem::file_size(volume(number));
        }
        EXPECT_EQ(report->bytes, bytes);
        for (const int number : {1, 2, count_ / 2 + 1, count_}) {
            if (number <= count_) {
                EXPECT_TRUE(shows(volume(number), *memory)) << most;
            }
        }
        EXPECT_GE(good(volume(1)), 4 * count_);
        EXPECT_EQ(good(volume(count_)), good(volume(1)));
    }
}

/// Zeros that are worth an entry of the map, and data between them that shares chunks.
TEST_F(Aff4Volumes, ZerosBetweenAreEntriesOfTheMap) {
    std::vector<std::byte> bytes(std::size_t{4} << 20);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        if (at % 200000 > 110000 || at > 3000000) bytes[at] = MadeUpMemory::byteAt(at | 0x2000);
    }
    const auto snapshot = formatByName("raw")->open(memorySource(bytes, "m.raw"));
    ASSERT_TRUE(snapshot);
    const AddressSpace& memory = *snapshot->machine->physical;
    for (const auto& [stripes, most] : {std::pair{2U, 0U}, {0U, 300000U}}) {
        const auto report = write(*snapshot, stripes, most, Codec::none);
        ASSERT_TRUE(report) << report.error().describe();
        EXPECT_GT(report->zeroBytes, 1U << 20);
        EXPECT_GT(count_, 2);
        for (int number = 1; number <= count_; ++number) {
            EXPECT_TRUE(shows(volume(number), memory)) << number;
            if (most > 0) {
                EXPECT_LE(std::filesystem::file_size(volume(number)), most);
            }
        }
        EXPECT_GE(good(volume(1)), 4 * count_);
    }
}

TEST_F(Aff4Volumes, WhatFitsIntoOneVolumeIsOne) {
    const auto memory = std::make_shared<MadeUpMemory>(usualRanges());
    ASSERT_TRUE(write(machineOf(memory), 0, std::uint64_t{64} << 20));
    EXPECT_EQ(count_, 1);
    EXPECT_TRUE(shows(volume(1), *memory));
    EXPECT_GE(good(volume(1)), 6);
}

/// Every other page cannot be read, which nobody knows before.
class HalfUnreadable final : public AddressSpace {
public:
    explicit HalfUnreadable(std::uint64_t bytes) : whole_(Range::ofSize(0, bytes)) {}
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        if (!whole_.contains(address)) return {0, Absence::not_mapped};
        if (address / 4096 % 2 == 1) return {0, Absence::unreadable};
        const auto count =
            std::min<std::size_t>(out.size(), static_cast<std::size_t>(4096 - address % 4096));
        std::ranges::fill(out.first(count), static_cast<std::byte>(1 + address / 8192 % 255));
        return {count, count < out.size() ? Absence::unreadable : Absence::none};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return {{whole_.intersect(within), Absence::none, false}};
    }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "every other one"; }

private:
    Range whole_;
};

TEST_F(Aff4Volumes, TheMapOfManyUnreadablePagesHasRoom) {
    // As long as it can become in the least size that is not refused: it goes where it fits, in a
    // volume of its own if need be.
    const auto memory = std::make_shared<HalfUnreadable>(std::uint64_t{96} << 20);
    const auto refused = write(machineOf(memory), 0, 100000);
    ASSERT_FALSE(refused);
    const std::string text = refused.error().message;
    const auto most = parseDecimal(text.substr(text.rfind(' ') + 1)).value_or(0);
    const auto report = write(machineOf(memory), 0, most);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->unread.size(), 12288U);
    EXPECT_GT(count_, 1);
    for (int number = 1; number <= count_; ++number)
        EXPECT_LE(std::filesystem::file_size(volume(number)), most);
    EXPECT_TRUE(shows(volume(1), *memory));
    EXPECT_TRUE(shows(volume(count_), *memory));
    EXPECT_GE(good(volume(1)), 4 * count_);
    for (const Issue& loss : report->losses.items())
        EXPECT_EQ(loss.message.find("instead of at most"), std::string::npos) << loss.message;
}

/// Of images up to 16 GiB none is: a map of as many entries as pages has room in the least size
/// that is not refused.
TEST_F(Aff4Volumes, AMapThatIsLongerThanAVolumeIsTold) {
    ImageOptions options;
    options.volumes.emplace();
    options.volumes->firstName = "1.aff4";
    options.volumes->mostBytes = 250000;
    for (const std::size_t count : {std::size_t{8000}, std::size_t{9000}}) {
        VolumeSet volumes(options, newUrn(), {}, {});
        MemorySink sink;
        ASSERT_TRUE(volumes.openFirst(sink));
        OpenVolume& volume = *volumes.open().front();
        ASSERT_TRUE(volumes.endStream(volume));
        const std::vector<MapEntry> entries(count);
        ASSERT_TRUE(VolumeSet::writeMap(volume, volume.writer.names().map, entries, {}));
        ASSERT_TRUE(volumes.end(volume, volumes.describing(volume)));
        if (count == 8000) {
            EXPECT_TRUE(volumes.losses().empty());
            continue;
        }
        ASSERT_EQ(volumes.losses().items().size(), 1U);
        EXPECT_EQ(volumes.losses().items().front().where, "1.aff4");
        EXPECT_THAT(volumes.losses().items().front().message,
                    testing::StartsWith("is " + std::to_string(sink.position()) +
                                        " bytes long instead of at most 250000: so many pages"));
    }
}

TEST_F(Aff4Volumes, SizesThatCannotDoAreRefusedWithOneThatCan) {
    const auto memory = std::make_shared<MadeUpMemory>(larger());
    const auto refused = write(machineOf(memory), 0, 5000);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit);
    const std::string text = refused.error().message;
    const auto least = parseDecimal(text.substr(text.rfind(' ') + 1));
    ASSERT_TRUE(least) << text;
    EXPECT_TRUE(write(machineOf(memory), 0, *least));
    EXPECT_TRUE(shows(volume(1), *memory));
    // In the least size, too, each volume has room for what is to be in it, however it is packed.
    for (const std::uint64_t pages : {20U, 28U, 100U, 900U}) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(pages) * 4096);
        for (std::size_t at = 0; at < bytes.size(); ++at)
            bytes[at] = MadeUpMemory::byteAt(at % 4096 | 0x2000);
        const auto snapshot = formatByName("raw")->open(memorySource(bytes, "m.raw"));
        ASSERT_TRUE(snapshot);
        const auto tooShort = write(*snapshot, 0, 1000);
        ASSERT_FALSE(tooShort);
        const std::string said = tooShort.error().message;
        const auto size = parseDecimal(said.substr(said.rfind(' ') + 1)).value_or(0);
        const auto report = write(*snapshot, 0, size, Codec::none);
        ASSERT_TRUE(report) << report.error().describe();
        EXPECT_GT(count_, 1) << pages;
        for (int number = 1; number <= count_; ++number)
            EXPECT_LE(std::filesystem::file_size(volume(number)), size) << pages;
        EXPECT_TRUE(shows(volume(1), *snapshot->machine->physical)) << pages;
    }
    // Never more volumes than can be opened, whatever the memory; and no arithmetic goes wrong.
    for (const unsigned bits : {20U, 30U, 40U, 50U}) {
        const std::vector ranges = {Range::ofSize(0, std::uint64_t{1} << bits)};
        for (unsigned size = 0; size < 64; ++size)
            (void)SplitRoom::plan(std::uint64_t{1} << size, {ranges, 0, 0}, "x");
        EXPECT_FALSE(SplitRoom::plan(1, {ranges, 0, 0}, "x"));
    }
}

TEST_F(Aff4Volumes, OfAMissingVolumeItsPartIsTruncated) {
    const auto memory = std::make_shared<MadeUpMemory>(larger());
    ASSERT_TRUE(write(machineOf(memory), 2, 0, Codec::none));
    std::filesystem::rename(volume(2), file("away"));
    for (const int number : {1, 3}) {
        EXPECT_TRUE(shows(volume(number), *memory, false));
        EXPECT_EQ(good(volume(number)), -1);
        const auto opened = openDump(volume(number));
        EXPECT_THAT(
            opened->issues.items().front().describe() + opened->issues.items().back().describe(),
            testing::HasSubstr("2.aff4"));
    }
    // Under another name it is found all the same, and another image's volume is not taken for it.
    std::filesystem::rename(file("away"), file("other name.AFF4"));
    EXPECT_TRUE(shows(volume(1), *memory));
    EXPECT_GE(good(volume(3)), 16);
    std::filesystem::rename(file("other name.AFF4"), file("away"));
    ImageOptions single;
    SilentProgress progress;
    const auto sink = createFileSink(volume(2), {});
    ASSERT_TRUE(sink);
    ASSERT_TRUE(writeImage(machineOf(memory), single, **sink, progress));
    ASSERT_TRUE((*sink)->finish());
    EXPECT_TRUE(shows(volume(1), *memory, false));
}

TEST_F(Aff4Volumes, OfAMissingVolumeOfASizeTheOthersAreReadable) {
    const auto memory = std::make_shared<MadeUpMemory>(larger());
    ASSERT_TRUE(write(machineOf(memory), 0, 400000, Codec::none));
    ASSERT_GT(count_, 6);
    // One in the middle.
    std::filesystem::rename(volume(3), file("away"));
    for (const int number : {1, 2, count_})
        EXPECT_TRUE(shows(volume(number), *memory, false)) << number;
    EXPECT_EQ(good(volume(1)), -1);
    std::filesystem::rename(file("away"), volume(3));
    // The first, which has the map of all: what the others know of themselves is there.
    std::filesystem::rename(volume(1), file("away"));
    for (const int number : {2, 4, count_}) {
        const auto opened = openDump(volume(number));
        ASSERT_TRUE(opened) << opened.error().describe();
        EXPECT_TRUE(opened->issues.lossy());
        std::uint64_t bytes = 0;
        std::vector<std::byte> page(4096);
        for (const Range& range : image::storedRanges(*opened->machine->physical)) {
            bytes += range.size();
            ASSERT_EQ(opened->machine->physical->read(range.begin(), page).bytes, page.size());
            EXPECT_EQ(page[17], MadeUpMemory::byteAt(range.begin() + 17));
        }
        EXPECT_GT(bytes, image::bytesIn(larger()) * 8 / 10) << number;
        EXPECT_LT(bytes, image::bytesIn(larger()));
    }
}

TEST_F(Aff4Volumes, CutOffVolumesAreNotWhole) {
    const auto memory = std::make_shared<MadeUpMemory>(usualRanges());
    ASSERT_TRUE(write(machineOf(memory), 1, 0));
    const auto size = std::filesystem::file_size(volume(2));
    for (std::uintmax_t left = size - 64; left > 0; left -= std::min(left, size / 40)) {
        std::filesystem::resize_file(volume(2), left);
        EXPECT_TRUE(shows(volume(1), *memory, false)) << left;
        (void)openDump(volume(2));
    }
}

/// Fails when so many bytes are written.
class FullSink final : public Sink {
public:
    explicit FullSink(std::uint64_t room) : room_(room) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        if (position_ + bytes.size() > room_) return fail(Errc::io, "the disk is full");
        position_ += bytes.size();
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        position_ += count;
        return {};
    }
    [[nodiscard]] Result<void> finish() override { return {}; }

private:
    std::uint64_t room_;
};

TEST_F(Aff4Volumes, TheFirstErrorOfAVolumeEndsAll) {
    const auto memory = std::make_shared<MadeUpMemory>(larger());
    for (const std::uint64_t room :
         {std::uint64_t{0}, std::uint64_t{300000}, std::uint64_t{1500000}}) {
        ImageOptions options;
        options.codec = Codec::none;
        options.volumes.emplace();
        options.volumes->stripes = 1;
        options.volumes->next = [room]() -> Result<ImageVolume> {
            return ImageVolume{std::make_unique<FullSink>(room), "2"};
        };
        SilentProgress progress;
        MemorySink first;
        const auto report = writeImage(machineOf(memory), options, first, progress);
        ASSERT_FALSE(report) << room;
        EXPECT_EQ(report.error().message, "the disk is full");
        options.volumes->stripes = 0;
        options.volumes->mostBytes = 1 << 20;
        EXPECT_EQ(writeImage(machineOf(memory), options, first, progress).has_value(),
                  room > 1 << 20);
        options.volumes->next = []() -> Result<ImageVolume> { return fail(Errc::exists, "no"); };
        EXPECT_FALSE(writeImage(machineOf(memory), options, first, progress));
    }
}

}  // namespace
}  // namespace icecore::aff4
