#include "bytes/hash.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "support/scratch.h"

namespace icecore {
namespace {

std::string hashOf(HashKind kind, std::span<const std::byte> bytes, std::size_t piece) {
    Hasher hasher(kind);
    while (!bytes.empty()) {
        const std::size_t count = std::min(piece, bytes.size());
        hasher.update(bytes.first(count));
        bytes = bytes.subspan(count);
    }
    return hexBytes(hasher.finish());
}

std::string hashOf(HashKind kind, std::string_view text) {
    return hashOf(kind, std::as_bytes(std::span(text)), 1000);
}

TEST(Hash, KnownValues) {
    // FIPS 180-4's examples and RFC 7693, appendix A.
    EXPECT_EQ(hashOf(HashKind::sha256, "abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hashOf(HashKind::sha256, ""),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hashOf(HashKind::blake2b, "abc"),
              "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
              "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

/// BLAKE3's test vectors (test_vectors.json of its authors): bytes that count up to 250.
TEST(Hash, Blake3OfItsTestVectors) {
    const auto pattern = [](std::size_t size) {
        std::vector<std::byte> bytes(size);
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = static_cast<std::byte>(i % 251);
        return bytes;
    };
    for (const auto& [size, hash] : std::initializer_list<std::pair<std::size_t, const char*>>{
             {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
             {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
             {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
             {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"}}) {
        for (const std::size_t piece : {1000U, 4096U, 1000000U})
            EXPECT_EQ(hashOf(HashKind::blake3, pattern(size), piece), hash) << size;
    }
}

/// As many chunks as fill registers of every width, less and more, and however they come.
TEST(Hash, Blake3IsTheSameHoweverTheBytesCome) {
    std::vector<std::byte> bytes(std::size_t{600} << 10);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
    for (const std::size_t chunks : {1U, 2U, 3U, 4U, 7U, 8U, 9U, 16U, 17U, 31U, 64U, 300U, 599U}) {
        for (const std::size_t size : {chunks * 1024 - 1, chunks * 1024, chunks * 1024 + 1}) {
            const auto all = std::span(bytes).first(size);
            const std::string slowly = hashOf(HashKind::blake3, all, 1000);  // a chunk at a time
            for (const std::size_t piece : {1024U, 5000U, 70000U, 1000000U})
                EXPECT_EQ(hashOf(HashKind::blake3, all, piece), slowly) << size << ' ' << piece;
        }
    }
}

TEST(Hash, EachPieceByItself) {
    std::vector<std::byte> bytes(100000);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
    for (const std::size_t piece : {64U, 100U, 4096U, 32768U, 100000U, 200000U}) {
        std::vector<std::byte> hashes;
        sha256Each(bytes, piece, hashes);
        std::string expected;
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            expected +=
                hashOf(HashKind::sha256,
                       std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)), 1000);
        EXPECT_EQ(hexBytes(hashes), expected) << piece;
    }
}

TEST(Hash, AsTheSystemsToolsSay) {
    const tests::Scratch scratch;
    for (const std::size_t size :
         {1U, 55U, 56U, 63U, 64U, 65U, 111U, 112U, 127U, 128U, 129U, 240U, 256U, 100000U}) {
        std::vector<std::byte> bytes(size);
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
        std::ofstream(scratch.file("f"), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
        const auto said = [&](const std::string& tool) {
            const std::string text = tests::shell(tool + " " + scratch.file("f")).text;
            return text.substr(0, text.find(' '));
        };
        for (const std::size_t piece : {1U, 64U, 100U, 128U, 100000U}) {
            EXPECT_EQ(hashOf(HashKind::sha256, bytes, piece), said("sha256sum")) << size;
            EXPECT_EQ(hashOf(HashKind::blake2b, bytes, piece), said("b2sum")) << size;
            if (const std::string theirs = said("b3sum"); !theirs.empty()) {
                EXPECT_EQ(hashOf(HashKind::blake3, bytes, piece), theirs) << size;
            }
            EXPECT_EQ(hashOf(HashKind::md5, bytes, piece), said("md5sum")) << size;
            EXPECT_EQ(hashOf(HashKind::sha1, bytes, piece), said("sha1sum")) << size;
            EXPECT_EQ(hashOf(HashKind::sha512, bytes, piece), said("sha512sum")) << size;
        }
    }
}

TEST(Hash, ZerosAreBytesToo) {
    for (const HashKind kind : {HashKind::sha256, HashKind::blake2b, HashKind::blake3}) {
        Hasher hasher(kind);
        hasher.zeros(200000);
        EXPECT_EQ(hexBytes(hasher.finish()), hashOf(kind, std::vector<std::byte>(200000), 4096));
    }
}

}  // namespace
}  // namespace icecore
