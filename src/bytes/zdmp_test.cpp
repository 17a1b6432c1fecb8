#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/crc32.h"
#include "bytes/endian.h"
#include "bytes/lznt1.h"
#include "bytes/zdmp_source.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> values) {
    Bytes out;
    for (const int value : values)
        out.push_back(static_cast<std::byte>(value));
    return out;
}
std::string unpacked(const Bytes& packed, std::size_t room = 8192) {
    Bytes out(room);
    const auto got = unpackLznt1(packed, out);
    if (!got) return "error";
    return {reinterpret_cast<const char*>(out.data()), *got};
}

TEST(Lznt1, ChunksOfBothKinds) {
    // The example of [MS-XCA] 3.2: "F# F# G A A G F# E D D E F# F# E E" twice and so on.
    const Bytes example = bytes(
        {0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47,
         0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20,
         0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09,
         0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00});
    EXPECT_TRUE(
        unpacked(example).starts_with("F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# "
                                      "E D D E F# E D D E E F# D E F# G F# D E F# G F# E D "
                                      "E A F# F# G A A G F# E D D E F# E D D"));
    // Stored, and the end mark.
    EXPECT_EQ(unpacked(bytes({0x02, 0x30, 'a', 'b', 'c', 0, 0, 'x'})), "abc");
    // A run: one letter, then itself 4095 times over.
    EXPECT_EQ(unpacked(bytes({0x03, 0xb0, 0x02, 'a', 0xfc, 0x0f})), std::string(4096, 'a'));
}

TEST(Lznt1, DamageIsRefused) {
    for (const Bytes& bad :
         {bytes({0x03, 0xb0, 0x01, 0x00, 0x00, 0x00}),  // copies from before the beginning
          bytes({0x03, 0xb0, 0x02, 'a', 0xfc, 0x1f}),   // distance 2 after one letter
          bytes({0x03, 0xb0, 0x02, 'a', 0xfd, 0x0f}),   // beyond a chunk's 4096
          bytes({0x40, 0xb0, 0x02, 'a'}),               // longer than what there is
          bytes({0x02, 0xb0, 0x02, 'a', 0xfc})})        // half a phrase
        EXPECT_EQ(unpacked(bad), "error");
    EXPECT_EQ(unpacked(bytes({0x02, 0x30, 'a', 'b', 'c'}), 2), "error");
}

/// A file whose first block is a run and whose second is stored.
Bytes sample() {
    Bytes file(0x1000);
    std::memcpy(file.data(), "ZDMP", 4);
    storeInteger<std::uint32_t>(file.data() + 4, 0x100);
    storeInteger<std::uint64_t>(file.data() + 8, 4096 + 100);
    storeInteger<std::uint32_t>(file.data() + 16, 4096);
    storeInteger<std::uint16_t>(file.data() + 20, 1);
    storeInteger<std::uint16_t>(file.data() + 22, 2);
    const auto add = [&](const Bytes& block) {
        for (const char c : {'Z', 'B', 'L', 'K'})
            file.push_back(static_cast<std::byte>(c));
        appendInteger(file, static_cast<std::uint32_t>(block.size()));
        appendInteger(file, crc32(block));
        file.insert(file.end(), block.begin(), block.end());
    };
    add(bytes({0x03, 0xb0, 0x02, 'a', 0xfc, 0x0f}));
    add(Bytes(4096, std::byte{'b'}));
    return file;
}

TEST(Zdmp, BlocksAreUnpackedWhenTouched) {
    const auto file = memorySource(sample(), "z");
    ASSERT_TRUE(isZdmp(*file));
    const auto source = openZdmp(file);
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ((*source)->size(), 4196U);
    Bytes out(5000);
    EXPECT_EQ((*source)->read(0, out).value_or(0), 4196U);
    EXPECT_EQ(out[4095], std::byte{'a'});
    EXPECT_EQ(out[4096], std::byte{'b'});
}

TEST(Zdmp, CutAndWrongAnywhere) {
    const Bytes whole = sample();
    Bytes out(5000);
    for (std::size_t size = 0; size < whole.size(); size += size < 0x1000 - 16 ? 64 : 3) {
        const auto file =
            memorySource({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, "z");
        if (!isZdmp(*file)) continue;
        const auto source = openZdmp(file);
        if (!source) continue;
        EXPECT_FALSE((*source)->read(0, out)) << size;
    }
    Bytes wrong = whole;
    wrong[0x1000 + 14] ^= std::byte{1};
    EXPECT_FALSE((*openZdmp(memorySource(wrong, "z")))->read(0, out));
    EXPECT_TRUE((*openZdmp(memorySource(wrong, "z")))->read(4096, out));
    Bytes huge = whole;
    storeInteger<std::uint64_t>(huge.data() + 8, std::uint64_t{1} << 50);
    EXPECT_TRUE(openZdmp(memorySource(huge, "z")));
    storeInteger<std::uint32_t>(huge.data() + 16, 0xffffffff);
    EXPECT_FALSE(openZdmp(memorySource(huge, "z")));
}

}  // namespace
}  // namespace icecore
