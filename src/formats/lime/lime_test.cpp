// LiME and AVML as other tools write them: headers assembled by hand from their descriptions.
#include <gtest/gtest.h>
#include <snappy.h>

#include "bytes/crc32c.h"
#include "bytes/endian.h"
#include "formats/format.h"
#include "formats/image/image.h"
#include "formats/lime/layout.h"

namespace icecore::lime {
namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void appendHeader(Bytes& out, std::uint32_t magic, std::uint32_t version, std::uint64_t first,
                  std::uint64_t last) {
    appendInteger(out, magic);
    appendInteger(out, version);
    appendInteger(out, first);
    appendInteger(out, last);
    appendInteger(out, std::uint64_t{0});
}

Result<Snapshot> open(Bytes bytes) {
    const auto source = memorySource(std::move(bytes), "image.lime");
    const auto format = recognise(*source);
    if (!format) return std::unexpected(format.error());
    return (*format)->open(source);
}

TEST(Lime, RangesNeedNotBeMadeOfPages) {
    Bytes file;
    appendHeader(file, limeMagic, 1, 0x1000, 0x13ff);
    append(file, Bytes(0x400, std::byte{7}));
    appendHeader(file, limeMagic, 1, 0x5000, 0x5000);
    append(file, Bytes(1, std::byte{8}));
    const auto snapshot = open(file);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(image::storedRanges(*snapshot->machine->physical),
              (std::vector{Range::between(0x1000, 0x1400), Range::between(0x5000, 0x5001)}));
    EXPECT_EQ(snapshot->machine->physical->readInteger<std::uint8_t>(0x5000), 8);
}

TEST(Lime, HugeClaimsCostNothing) {
    Bytes file;
    appendHeader(file, limeMagic, 1, 0, (std::uint64_t{1} << 51) - 1);
    append(file, Bytes(100, std::byte{7}));
    const auto snapshot = open(file);
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->issues.lossy());
    EXPECT_EQ(image::bytesIn(image::storedRanges(*snapshot->machine->physical)), 100U);
    std::byte one[1];
    EXPECT_EQ(snapshot->machine->physical->read(100, one).stopped, Absence::truncated);
    // Ends before it begins; beyond all physical addresses; another version.
    for (const auto& [first, last, version] :
         {std::tuple{0x2000ULL, 0x1000ULL, 1U}, std::tuple{0ULL, ~0ULL, 1U},
          std::tuple{0ULL, 99ULL, 3U}}) {
        Bytes bad;
        appendHeader(bad, limeMagic, version, first, last);
        append(bad, Bytes(100));
        EXPECT_FALSE(open(bad)) << first;
    }
}

TEST(Lime, NonsenseBehindTheFirstRangeIsTold) {
    Bytes file;
    appendHeader(file, limeMagic, 1, 0x1000, 0x1fff);
    append(file, Bytes(0x1000, std::byte{7}));
    append(file, Bytes(64, std::byte{0x55}));
    const auto snapshot = open(file);
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE(snapshot->issues.lossy());
    EXPECT_EQ(snapshot->machine->physical->readInteger<std::uint8_t>(0x1fff), 7);
}

/// A range of AVML whose stream has a stored and a compressed chunk, as two encoders made them.
Bytes avmlRange(std::uint64_t address, std::span<const std::byte> stored,
                std::span<const std::byte> compressed) {
    const auto masked = [](std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; };
    Bytes stream = {std::byte{0xff}, std::byte{6},   std::byte{0},   std::byte{0},
                    std::byte{'s'},  std::byte{'N'}, std::byte{'a'}, std::byte{'P'},
                    std::byte{'p'},  std::byte{'Y'}};
    appendInteger(stream, static_cast<std::uint32_t>((stored.size() + 4) << 8 | 1));
    appendInteger(stream, masked(crc32c(stored)));
    append(stream, stored);
    std::string packed;
    snappy::Compress(reinterpret_cast<const char*>(compressed.data()), compressed.size(), &packed);
    appendInteger(stream, static_cast<std::uint32_t>((packed.size() + 4) << 8));
    appendInteger(stream, masked(crc32c(compressed)));
    append(stream, std::as_bytes(std::span(packed)));
    Bytes file;
    appendHeader(file, avmlMagic, 2, address, address + stored.size() + compressed.size() - 1);
    append(file, stream);
    appendInteger<std::uint64_t>(file, stream.size());
    return file;
}

TEST(Avml, ChunksOfBothKindsAndARangeOfLime) {
    const Bytes stored(100, std::byte{1});
    const Bytes compressed(60000, std::byte{2});
    Bytes file = avmlRange(0x1000, stored, compressed);
    appendHeader(file, limeMagic, 1, 0x100000, 0x100003);
    append(file, Bytes(4, std::byte{3}));
    append(file, avmlRange(0x200000, compressed, stored));
    const auto snapshot = open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const AddressSpace& memory = *snapshot->machine->physical;
    EXPECT_FALSE(snapshot->issues.lossy());
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x1063), 1);
    EXPECT_EQ(memory.readInteger<std::uint16_t>(0x1063), 0x0201);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x100003), 3);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x200000), 2);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x200000 + 60000), 1);
    EXPECT_EQ(image::storedRanges(memory).size(), 3U);
}

TEST(Avml, AWrongChecksumIsNotShownAsMemory) {
    const Bytes stored(100, std::byte{1});
    Bytes file = avmlRange(0x1000, stored, stored);
    file[sizeof(Header) + 10 + 8 + 50] = std::byte{9};
    const auto snapshot = open(file);
    ASSERT_TRUE(snapshot);
    std::byte one[1];
    EXPECT_EQ(snapshot->machine->physical->read(0x1000, one).stopped, Absence::unreadable);
    EXPECT_EQ(snapshot->machine->physical->read(0x1064, one).bytes, 1U);
}

TEST(Avml, AChunkThatClaimsMoreThan64KiBIsRefused) {
    Bytes file;
    appendHeader(file, avmlMagic, 2, 0, (std::uint64_t{1} << 40) - 1);
    appendInteger(file, std::uint32_t{12 << 8});
    append(file, Bytes(4));
    append(file, Bytes{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                       std::byte{7}, std::byte{0}, std::byte{0}, std::byte{0}});
    EXPECT_FALSE(open(file));
}

}  // namespace
}  // namespace icecore::lime
