#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/sparse.h"
#include "memory/address_space.h"
#include "memory/segment_space.h"

namespace icecore {
namespace {

std::shared_ptr<const Source> numbered(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i);
    return memorySource(std::move(bytes), "file");
}

TEST(SegmentSpace, EveryKindOfHoleKeepsItsName) {
    SegmentSpaceBuilder builder(numbered(100));
    builder.addStored(Range::ofSize(1000, 50), 0);
    builder.addZero(Range::ofSize(1050, 50));
    builder.addAbsent(Range::ofSize(1100, 50), Absence::not_captured);
    builder.addStored(Range::ofSize(1200, 50), 80);  // the file ends after 20 of them
    const auto space = builder.build();
    std::vector<std::byte> bytes(200, std::byte{0xff});
    const ReadOutcome got = space->read(1000, bytes);
    EXPECT_EQ(got.bytes, 100U);
    EXPECT_EQ(got.stopped, Absence::not_captured);
    EXPECT_EQ(bytes[49], std::byte{49});
    EXPECT_EQ(bytes[50], std::byte{0});
    EXPECT_EQ(space->read(1150, bytes).stopped, Absence::not_mapped);
    EXPECT_EQ(space->read(1200, bytes).bytes, 20U);
    EXPECT_EQ(space->read(1200, bytes).stopped, Absence::truncated);
    EXPECT_EQ(space->extents(Range::ofSize(1010, 100)),
              (std::vector<Extent>{{Range::between(1010, 1050), Absence::none, false},
                                   {Range::between(1050, 1100), Absence::none, true},
                                   {Range::between(1100, 1110), Absence::not_captured, false}}));
    EXPECT_EQ(space->readExactly(1090, std::span(bytes).first(20)).error().code, Errc::unreadable);
    EXPECT_EQ(space->window(1010).size(), 40U);
    EXPECT_TRUE(space->window(1060).empty());
}

TEST(SegmentSpace, WhatWasAddedFirstWins) {
    SegmentSpaceBuilder builder(numbered(100));
    builder.addAbsent(Range::ofSize(1020, 10), Absence::unreadable);
    builder.addStored(Range::ofSize(1000, 100), 0);
    std::size_t overlaps = 0;
    const auto space = builder.build(&overlaps);
    EXPECT_EQ(overlaps, 1U);
    std::vector<std::byte> bytes(100);
    EXPECT_EQ(space->read(1000, bytes).bytes, 20U);
    EXPECT_EQ(space->read(1000, bytes).stopped, Absence::unreadable);
    EXPECT_EQ(space->readInteger<std::uint8_t>(1030), 30);
}

/// A file of 100 bytes of which only some are no hole.
class FileWithHoles final : public Source, public SparseSource {
public:
    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] std::uint64_t size() const override { return 100; }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        const auto count = std::min(out.size(), static_cast<std::size_t>(100 - offset));
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t at = offset + i;
            const bool data = (at >= 20 && at < 30) || (at >= 50 && at < 60);
            out[i] = data ? static_cast<std::byte>(at) : std::byte{0};
        }
        return count;
    }
    [[nodiscard]] std::vector<Range> dataRanges() const override {
        return {Range::between(20, 30), Range::between(50, 60)};
    }

private:
    std::string name_ = "holes";
};

TEST(SegmentSpace, HolesOfTheFileAreZerosAndItsEndIsNone) {
    SegmentSpaceBuilder builder(std::make_shared<FileWithHoles>());
    builder.addSparse(Range::ofSize(1000, 55), 0);
    builder.addSparse(Range::ofSize(2000, 100), 25);  // the file ends after 75 of them
    builder.addSparse(Range::ofSize(3000, 10), 200);
    builder.addSparse(Range::ofSize(4000, 10), 22);
    const auto space = builder.build();
    EXPECT_EQ(space->extents(Range::all()),
              (std::vector<Extent>{{Range::between(1000, 1020), Absence::none, true},
                                   {Range::between(1020, 1030), Absence::none, false},
                                   {Range::between(1030, 1050), Absence::none, true},
                                   {Range::between(1050, 1055), Absence::none, false},
                                   {Range::between(2000, 2005), Absence::none, false},
                                   {Range::between(2005, 2025), Absence::none, true},
                                   {Range::between(2025, 2035), Absence::none, false},
                                   {Range::between(2035, 2075), Absence::none, true},
                                   {Range::between(2075, 2100), Absence::truncated, false},
                                   {Range::between(3000, 3010), Absence::truncated, false},
                                   {Range::between(4000, 4008), Absence::none, false},
                                   {Range::between(4008, 4010), Absence::none, true}}));
    EXPECT_EQ(space->readInteger<std::uint8_t>(1025), 25);
    EXPECT_EQ(space->readInteger<std::uint8_t>(2030), 55);
}

TEST(Overlay, TheBackFillsTheFrontsHolesOnly) {
    SegmentSpaceBuilder front(numbered(100));
    front.addStored(Range::ofSize(1000, 10), 50);
    front.addAbsent(Range::ofSize(1010, 10), Absence::not_captured);
    front.addAbsent(Range::ofSize(1030, 10), Absence::not_captured);
    SegmentSpaceBuilder back(numbered(100));
    back.addStored(Range::ofSize(1000, 30), 0);
    const auto space = overlay(front.build(), back.build());
    std::vector<std::byte> bytes(60);
    const ReadOutcome got = space->read(1000, bytes);
    EXPECT_EQ(got.bytes, 30U);
    EXPECT_EQ(got.stopped, Absence::not_captured);
    EXPECT_EQ(bytes[9], std::byte{59});
    EXPECT_EQ(bytes[10], std::byte{10});
    EXPECT_EQ(space->extents(Range::ofSize(1000, 100)).back(),
              (Extent{Range::ofSize(1030, 10), Absence::not_captured, false}));
}

TEST(AddressSpace, TextEndsAtItsNulOrNowhere) {
    std::vector<std::byte> bytes(600, std::byte{'a'});
    bytes[599] = std::byte{0};
    SegmentSpaceBuilder builder(memorySource(std::move(bytes), "file"));
    builder.addStored(Range::ofSize(1000, 600), 0);
    const auto space = builder.build();
    EXPECT_EQ(space->readCString(1000)->size(), 599U);
    EXPECT_FALSE(space->readCString(1000, 599));
    EXPECT_FALSE(space->readCString(1600));
    EXPECT_EQ(space->readUpTo(1000, UINT64_MAX).size(), 600U);
    EXPECT_EQ(emptySpace()->readPointer(0), std::nullopt);
}

}  // namespace
}  // namespace icecore
