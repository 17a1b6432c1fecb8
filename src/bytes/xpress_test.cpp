#include "bytes/xpress.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bytes/xpress_maker.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytesOfText(const std::string& text) {
    const auto view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
}

/// Noise, runs of one byte (longer than 64 KiB too), text that comes again near and far.
Bytes content(std::size_t size, unsigned seed) {
    Bytes bytes;
    std::uint64_t state = 88172645463325252ULL + seed;
    while (bytes.size() < size) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const std::size_t run = (state >> 20) % (seed % 3 == 2 ? 80'000 : 400) + 1;
        const std::size_t from = (state >> 40) % 5000 + 1;
        for (std::size_t i = 0; i < run && bytes.size() < size; ++i) {
            switch (state % 4) {
            case 0: bytes.push_back(std::byte{0}); break;
            case 1: bytes.push_back(static_cast<std::byte>(state >> (i % 57))); break;
            default:
                bytes.push_back(bytes.size() >= from ? bytes[bytes.size() - from] : std::byte{'x'});
            }
        }
    }
    return bytes;
}

TEST(Xpress, ExamplesOfTheSpecification) {
    // [MS-XCA] 3.1: letters that do not come again, and "abc" a hundred times.
    const std::string alphabet = "abcdefghijklmnopqrstuvwxyz";
    Bytes packed = {std::byte{0x3f}, std::byte{0}, std::byte{0}, std::byte{0}};
    for (const char c : alphabet)
        packed.push_back(static_cast<std::byte>(c));
    Bytes out(alphabet.size());
    EXPECT_EQ(unpackXpress(packed, out).value_or(0), out.size());
    EXPECT_EQ(out, bytesOfText(alphabet));
    std::string hundred;
    for (int i = 0; i < 100; ++i)
        hundred += "abc";
    packed.clear();
    for (const unsigned byte : {0xffU, 0xffU, 0xffU, 0x1fU, 0x61U, 0x62U, 0x63U, 0x17U, 0x00U,
                                0x0fU, 0xffU, 0x26U, 0x01U})
        packed.push_back(static_cast<std::byte>(byte));
    out.assign(300, {});
    EXPECT_EQ(unpackXpress(packed, out).value_or(0), 300U);
    EXPECT_EQ(out, bytesOfText(hundred));
    // 3.2: the same with Huffman codes.
    packed.assign(256, {});
    packed['a' / 2] = std::byte{0x30};
    packed['b' / 2] = std::byte{0x23};
    packed[256 / 2] = std::byte{0x02};
    packed[(256 + 16 + 15) / 2] = std::byte{0x20};
    for (const unsigned byte : {0xa8U, 0xdcU, 0x00U, 0x00U, 0xffU, 0x26U, 0x01U})
        packed.push_back(static_cast<std::byte>(byte));
    out.assign(300, {});
    const auto got = unpackXpressHuffman(packed, out);
    ASSERT_TRUE(got) << got.error().describe();
    EXPECT_EQ(out, bytesOfText(hundred));
}

TEST(Xpress, WhatWasPackedComesBack) {
    for (unsigned seed = 0; seed < 12; ++seed) {
        for (const std::size_t size : {1UL, 3UL, 100UL, 4096UL, 65536UL}) {
            const Bytes bytes = content(size, seed);
            Bytes out(size);
            const auto plain = unpackXpress(testing::packXpress(bytes), out);
            ASSERT_TRUE(plain) << seed << " " << size;
            EXPECT_EQ(*plain, size);
            EXPECT_EQ(out, bytes) << seed << " " << size;
            out.assign(size, {});
            const auto coded = unpackXpressHuffman(testing::packXpressHuffman(bytes), out);
            ASSERT_TRUE(coded) << seed << " " << size;
            EXPECT_EQ(out, bytes) << seed << " " << size;
        }
    }
    // Runs beyond 64 KiB have lengths of 32 bits.
    const Bytes bytes = content(300'000, 2);
    Bytes out(bytes.size());
    EXPECT_EQ(unpackXpress(testing::packXpress(bytes), out).value_or(0), bytes.size());
    EXPECT_EQ(out, bytes);
}

TEST(Xpress, DamageIsFoundOrBounded) {
    const Bytes bytes = content(8192, 3);
    Bytes out(bytes.size());
    for (const bool coded : {false, true}) {
        const Bytes packed = coded ? testing::packXpressHuffman(bytes) : testing::packXpress(bytes);
        const auto unpack = coded ? unpackXpressHuffman : unpackXpress;
        for (std::size_t cut = 0; cut < packed.size(); ++cut) {
            const auto got = unpack(std::span(packed).first(cut), out);
            // Near the end what is left may be the end mark and unused bits.
            const bool whole = got && *got == out.size();
            EXPECT_FALSE(whole && cut + 16 < packed.size()) << cut;
        }
        for (std::size_t at = 0; at < packed.size(); at += 3) {
            for (const unsigned value : {0x00U, 0x7fU, 0xffU}) {
                Bytes broken = packed;
                broken[at] = static_cast<std::byte>(value);
                (void)unpack(broken, out);
            }
        }
    }
}

}  // namespace
}  // namespace icecore
