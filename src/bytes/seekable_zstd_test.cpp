#include "bytes/seekable_zstd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bytes/endian.h"
#include "bytes/sink.h"
#include "support/scratch.h"
#include "support/tee_sink.h"

namespace icecore {
namespace {

using tests::Scratch;
using tests::shell;
using tests::TeeSink;

struct Packed {
    std::vector<std::byte> content, file;
};

/// Bytes, zeros of all sizes, bytes: about 9 MiB, so several frames.
Packed sample() {
    Packed packed;
    auto sink = compressZstd(std::make_unique<TeeSink>(packed.file), 1, 3);
    EXPECT_TRUE(sink);
    std::vector<std::byte> piece(300'001);
    for (std::size_t i = 0; i < piece.size(); ++i)
        piece[i] = static_cast<std::byte>(i * i >> 7);
    for (const std::size_t zeros : {0UL, 5UL, 1UL << 20, 3UL << 20, 777'777UL, 1UL << 21}) {
        EXPECT_TRUE((*sink)->write(piece));
        EXPECT_TRUE((*sink)->zeros(zeros));
        packed.content.insert(packed.content.end(), piece.begin(), piece.end());
        packed.content.resize(packed.content.size() + zeros);
    }
    EXPECT_EQ((*sink)->position(), packed.content.size());
    EXPECT_TRUE((*sink)->finish());
    return packed;
}

std::vector<std::byte> readAt(const Source& source, std::uint64_t offset, std::size_t size) {
    std::vector<std::byte> bytes(size);
    const auto got = source.read(offset, bytes);
    EXPECT_TRUE(got) << (got ? "" : got.error().describe());
    bytes.resize(got ? *got : 0);
    return bytes;
}

TEST(SeekableZstd, AnyPartComesBack) {
    const Packed packed = sample();
    const auto source = openSeekableZstd(memorySource(packed.file, "packed"));
    ASSERT_TRUE(source) << source.error().describe();
    ASSERT_EQ((*source)->size(), packed.content.size());
    EXPECT_EQ(readAt(**source, 0, packed.content.size() + 10), packed.content);
    for (std::size_t offset = 1; offset < packed.content.size(); offset += 654'321) {
        const std::size_t size = std::min<std::size_t>(70'000, packed.content.size() - offset);
        const auto begin = packed.content.begin() + static_cast<std::ptrdiff_t>(offset);
        EXPECT_EQ(readAt(**source, offset, size),
                  std::vector<std::byte>(begin, begin + static_cast<std::ptrdiff_t>(size)));
    }
    EXPECT_TRUE(readAt(**source, packed.content.size(), 5).empty());
}

TEST(SeekableZstd, ThreadsShareASource) {
    const Packed packed = sample();
    const auto source = openSeekableZstd(memorySource(packed.file, "packed"));
    ASSERT_TRUE(source);
    std::vector<std::jthread> threads;
    threads.reserve(4);
    std::atomic<int> wrong{0};
    for (std::size_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::vector<std::byte> bytes(1000);
            for (std::size_t i = 0; i < 40; ++i) {
                const std::size_t at = (i * 7 + t) * 31'337 % (packed.content.size() - 1000);
                const auto got = (*source)->read(at, bytes);
                if (!got || !std::equal(bytes.begin(), bytes.end(),
                                        packed.content.begin() + static_cast<std::ptrdiff_t>(at)))
                    ++wrong;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

TEST(SeekableZstd, TheOrdinaryToolDecompressesIt) {
    if (shell("zstd --version").status != 0) GTEST_SKIP() << "zstd is missing";
    const Packed packed = sample();
    const Scratch scratch;
    const std::string path = scratch.file("dump.zst");
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(packed.file.data()),
               static_cast<std::streamsize>(packed.file.size()));
    ASSERT_EQ(shell("zstd -qd " + path + " -o " + scratch.file("dump")).status, 0);
    const auto plain = openSource(scratch.file("dump"));
    ASSERT_TRUE(plain);
    EXPECT_EQ(readAt(**plain, 0, packed.content.size() + 1), packed.content);
}

TEST(SeekableZstd, ACutFileKeepsItsWholeFrames) {
    Packed packed = sample();
    packed.file.resize(packed.file.size() * 2 / 3);
    const auto source = openSeekableZstd(memorySource(packed.file, "cut"));
    ASSERT_TRUE(source) << source.error().describe();
    const auto size = static_cast<std::size_t>((*source)->size());
    EXPECT_GT(size, 0U);
    EXPECT_LT(size, packed.content.size());
    packed.content.resize(size);
    EXPECT_EQ(readAt(**source, 0, size), packed.content);
}

TEST(SeekableZstd, DamageIsToldAndBounded) {
    const Packed packed = sample();
    const std::size_t end = packed.file.size();
    const auto broken = [&](std::size_t at, std::uint32_t value) {
        std::vector<std::byte> file = packed.file;
        storeInteger(file.data() + at, value);
        return openSeekableZstd(memorySource(std::move(file), "broken"));
    };
    EXPECT_FALSE(broken(end - 9, 0xffffffff));  // the number of frames
    EXPECT_FALSE(broken(end - 9, 1));
    EXPECT_FALSE(broken(end - 9 - 8, 0xfffffff0));      // the last frame's size in the file
    const auto lying = broken(end - 9 - 4, 0x7ffffff);  // the size of its content
    if (lying) {
        std::vector<std::byte> bytes(10);
        EXPECT_FALSE((*lying)->read((*lying)->size() - 10, bytes));
    }
    // A flipped bit inside a frame is found by the frame's checksum.
    std::vector<std::byte> file = packed.file;
    file[2000] ^= std::byte{4};
    const auto flipped = openSeekableZstd(memorySource(std::move(file), "flipped"));
    ASSERT_TRUE(flipped);
    std::vector<std::byte> bytes(10);
    const auto got = (*flipped)->read(0, bytes);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::malformed);
}

TEST(SeekableZstd, AnUnfinishedSinkEndsItsThreads) {
    std::vector<std::byte> file;
    auto sink = compressZstd(std::make_unique<TeeSink>(file), 1, 2);
    ASSERT_TRUE(sink);
    EXPECT_TRUE((*sink)->write(std::vector<std::byte>(5 << 20, std::byte{7})));
    sink->reset();
    EXPECT_LT(file.size(), 5U << 20);
}

}  // namespace
}  // namespace icecore
