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
            EXPECT_EQ(hashOf(HashKind::md5, bytes, piece), said("md5sum")) << size;
            EXPECT_EQ(hashOf(HashKind::sha1, bytes, piece), said("sha1sum")) << size;
            EXPECT_EQ(hashOf(HashKind::sha512, bytes, piece), said("sha512sum")) << size;
        }
    }
}

TEST(Hash, ZerosAreBytesToo) {
    for (const HashKind kind : {HashKind::sha256, HashKind::blake2b}) {
        Hasher hasher(kind);
        hasher.zeros(200000);
        EXPECT_EQ(hexBytes(hasher.finish()), hashOf(kind, std::vector<std::byte>(200000), 4096));
    }
}

}  // namespace
}  // namespace icecore
