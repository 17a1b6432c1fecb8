#include <gtest/gtest.h>

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
