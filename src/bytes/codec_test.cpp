#include "bytes/codec.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "bytes/crc32c.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

/// Pages as memory has them: zeros, repetitions near and far, text, noise.
std::vector<Bytes> contents() {
    std::mt19937 random(7);
    std::vector<Bytes> all{{}, Bytes(1, std::byte{5}), Bytes(4096), Bytes(100000, std::byte{9})};
    for (const std::size_t size : {7U, 64U, 300U, 4096U, 70000U}) {
        Bytes noise(size);
        for (std::byte& byte : noise)
            byte = static_cast<std::byte>(random());
        all.push_back(noise);
        // A copy of its beginning at every distance that the codecs tell apart.
        for (const std::size_t distance : {1U, 3U, 2047U, 2048U, 2049U, 16383U, 16384U, 49151U}) {
            Bytes copied = noise;
            for (std::size_t i = distance; i < copied.size(); ++i) {
                if (i % 97 > 3) copied[i] = copied[i - distance];
            }
            all.push_back(copied);
        }
        Bytes words(size);
        for (std::byte& byte : words)
            byte = static_cast<std::byte>("abcd"[random() % 4]);
        all.push_back(words);
    }
    return all;
}

class EveryCodec : public testing::TestWithParam<Codec> {};

TEST_P(EveryCodec, GivesBackWhatItTook) {
    BlockPacker packer(GetParam());
    for (const Bytes& content : contents()) {
        if (content.empty()) continue;
        Bytes packed(packer.bound(content.size()));
        const auto size = packer.pack(content, packed);
        ASSERT_TRUE(size) << size.error().describe();
        packed.resize(*size);
        Bytes out(content.size());
        const auto got = unpackBlock(GetParam(), packed, out);
        ASSERT_TRUE(got) << got.error().describe() << " of " << content.size();
        EXPECT_EQ(*got, content.size());
        EXPECT_TRUE(out == content);
        // Into less room than it needs: refused, nothing written beyond.
        Bytes small(content.size() - 1);
        EXPECT_FALSE(unpackBlock(GetParam(), packed, small));
    }
}

TEST_P(EveryCodec, DamageIsRefusedOrStaysWithinBounds) {
    BlockPacker packer(GetParam());
    const Bytes content = contents().at(16);
    Bytes packed(packer.bound(content.size()));
    packed.resize(packer.pack(content, packed).value());
    Bytes out(content.size());
    for (std::size_t cut = 0; cut < packed.size(); ++cut) {
        const auto got = unpackBlock(GetParam(), std::span(packed).first(cut), out);
        EXPECT_TRUE(!got || *got < content.size()) << cut;
    }
    for (std::size_t at = 0; at < packed.size(); ++at) {
        for (const int value : {0, 1, 0x11, 0x7f, 0xff}) {
            Bytes broken = packed;
            broken[at] = static_cast<std::byte>(value);
            (void)unpackBlock(GetParam(), broken, out);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Codecs, EveryCodec,
                         testing::Values(Codec::none, Codec::deflate, Codec::zlib, Codec::lzo,
                                         Codec::snappy, Codec::lz4, Codec::zstd),
                         [](const auto& which) { return std::string(toString(which.param)); });

TEST(Codec, NamesAreFoundAgain) {
    EXPECT_EQ(codecByName("lzo"), Codec::lzo);
    EXPECT_EQ(codecByName("rar"), std::nullopt);
}

TEST(Lzo, ReadsWhatTheSpecificationSays) {
    // "abcd", a match of five at distance four, end: assembled by hand from the description.
    const Bytes packed = {std::byte{17 + 4}, std::byte{'a'},  std::byte{'b'}, std::byte{'c'},
                          std::byte{'d'},    std::byte{0x8c}, std::byte{0},   std::byte{0x11},
                          std::byte{0},      std::byte{0}};
    Bytes out(16);
    const auto got = unpackBlock(Codec::lzo, packed, out);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(out.data()), *got), "abcdabcda");
}

TEST(Crc32c, KnownValues) {
    // RFC 3720, appendix B.4.
    EXPECT_EQ(crc32c(Bytes(32)), 0x8a9136aaU);
    EXPECT_EQ(crc32c(Bytes(32, std::byte{0xff})), 0x62a8ab43U);
    Bytes counting(32);
    for (std::size_t i = 0; i < counting.size(); ++i)
        counting[i] = static_cast<std::byte>(i);
    EXPECT_EQ(crc32c(counting), 0x46dd794eU);
    const std::string_view digits = "123456789";
    EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xe3069283U);
    EXPECT_EQ(crc32cByTables(std::as_bytes(std::span(digits))), 0xe3069283U);
    // Both ways, of every length and from every address.
    for (std::size_t from = 0; from < 9; ++from) {
        for (std::size_t to = from; to <= counting.size(); ++to) {
            const auto part = std::span(counting).subspan(from, to - from);
            EXPECT_EQ(crc32c(part), crc32cByTables(part)) << from << " " << to;
        }
    }
}

}  // namespace
}  // namespace icecore
