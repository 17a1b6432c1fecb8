// Whole files in gzip, xz, zstd and LiME's zlib: any part comes back, what is cut off is told, and
// what claims more than it can hold is refused.
#include "bytes/packed_source.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "bytes/endian.h"
#include "bytes/forward_source.h"
#include "bytes/gzip_source.h"
#include "bytes/imperfect.h"
#include "bytes/seekable_zstd.h"
#include "bytes/xz_source.h"
#include "support/scratch.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

/// Like memory: noise, tables, zeros; about 3 MiB, so that there are several places to begin at.
Bytes content(std::size_t size = 2'700'123) {
    Bytes bytes(size);
    std::uint64_t state = 88172645463325252ULL;
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t page = i / 4096;
        if (page % 3 == 0) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes[i] = static_cast<std::byte>(state);
        } else if (page % 3 == 1) {
            bytes[i] = static_cast<std::byte>((i % 64 < 40) ? page : i);
        }
    }
    return bytes;
}

Bytes deflated(const Bytes& bytes, int windowBits, int memory = 8) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, 3, Z_DEFLATED, windowBits, memory, Z_DEFAULT_STRATEGY), Z_OK);
    Bytes out(deflateBound(&stream, bytes.size()) + 64);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}
Bytes gzip(const Bytes& bytes) {
    return deflated(bytes, 15 + 16);
}

/// One stream with blocks of at most `block` bytes.
Bytes xz(const Bytes& bytes, std::uint64_t block, bool many = true) {
    lzma_mt options{};
    options.threads = 1;
    options.block_size = block;
    options.preset = 0;
    options.check = LZMA_CHECK_CRC64;
    lzma_stream stream = LZMA_STREAM_INIT;
    EXPECT_EQ(many ? lzma_stream_encoder_mt(&stream, &options)
                   : lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC64),
              LZMA_OK);
    Bytes out(lzma_stream_buffer_bound(bytes.size()) + 65536);
    stream.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    stream.avail_in = bytes.size();
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = out.size();
    EXPECT_EQ(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    lzma_end(&stream);
    return out;
}

Bytes zstd(const Bytes& bytes, bool sized) {
    ZSTD_CCtx* const context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, sized ? 1 : 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    Bytes out(ZSTD_compressBound(bytes.size()));
    out.resize(ZSTD_compress2(context, out.data(), out.size(), bytes.data(), bytes.size()));
    ZSTD_freeCCtx(context);
    return out;
}

Result<std::shared_ptr<const Source>> open(Bytes bytes) {
    return unpacked(memorySource(std::move(bytes), "packed"));
}

void expectSame(const Source& source, const Bytes& wanted) {
    ASSERT_EQ(source.size(), wanted.size());
    const auto check = [&](std::uint64_t at, std::size_t size) {
        Bytes got(size);
        const auto read = source.read(at, got);
        ASSERT_TRUE(read) << read.error().describe();
        const std::size_t there = std::min<std::size_t>(size, wanted.size() - at);
        ASSERT_EQ(*read, there) << at;
        ASSERT_TRUE(std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(there),
                               wanted.begin() + static_cast<std::ptrdiff_t>(at)))
            << at;
    };
    for (std::uint64_t at = 0; at < wanted.size(); at += 300'007)  // on
        check(at, 70'001);
    for (std::uint64_t at = wanted.size() - 1; at > 900'001; at -= 900'001)  // and back
        check(at, 4096);
    check(0, wanted.size() + 5);
}

struct Way {
    std::string name;
    Bytes file;
};

std::vector<Way> ways(const Bytes& bytes) {
    const auto joined = [](Bytes first, const Bytes& second) {
        first.insert(first.end(), second.begin(), second.end());
        return first;
    };
    const auto middle = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 3);
    const Bytes front(bytes.begin(), middle), back(middle, bytes.end());
    Bytes padded = xz(front, 1 << 20);
    padded.resize(padded.size() + 8);
    return {{"gzip", gzip(bytes)},
            {"gzip_members", joined(gzip(front), gzip(back))},
            {"xz_blocks", xz(bytes, 1 << 20)},
            {"xz_one_block", xz(bytes, 0, false)},
            {"xz_streams", joined(padded, xz(back, 0, false))},
            {"zstd", zstd(bytes, true)},
            {"zstd_unsized", zstd(bytes, false)},
            {"zstd_frames", joined(zstd(front, false), zstd(back, true))},
            {"zstd_in_gzip", gzip(zstd(bytes, false))}};
}

TEST(PackedSource, AnyPartComesBack) {
    const Bytes bytes = content();
    for (const Way& way : ways(bytes)) {
        SCOPED_TRACE(way.name);
        const auto source = open(way.file);
        ASSERT_TRUE(source) << source.error().describe();
        EXPECT_FALSE(issuesOf(**source).lossy());
        expectSame(**source, bytes);
    }
}

TEST(PackedSource, LimesZlibIsToldByItsContent) {
    Bytes bytes = content(300'000);
    EXPECT_FALSE(isZlib(*memorySource(deflated(bytes, 11, 5), "image.lime")));
    EXPECT_TRUE(isZlib(*memorySource(deflated(bytes, 11, 5), "image.raw.zlib")));
    for (std::size_t i = 0; i < 4; ++i)
        bytes[i] = static_cast<std::byte>("EMiL"[i]);
    const auto source = open(deflated(bytes, 11, 5));
    ASSERT_TRUE(source) << source.error().describe();
    expectSame(**source, bytes);
}

TEST(PackedSource, ThreadsShareASource) {
    const Bytes bytes = content(2'000'000);
    for (const Way& way : ways(bytes)) {
        const auto source = open(way.file);
        ASSERT_TRUE(source);
        std::atomic<int> wrong{0};
        std::vector<std::jthread> threads;
        threads.reserve(3);
        for (std::size_t t = 0; t < 3; ++t) {
            threads.emplace_back([&, t] {
                Bytes piece(1000);
                for (std::size_t i = 0; i < 20; ++i) {
                    const std::size_t at = (i * 7 + t) * 131'337 % (bytes.size() - 1000);
                    const auto got = (*source)->read(at, piece);
                    if (!got || !std::equal(piece.begin(), piece.end(),
                                            bytes.begin() + static_cast<std::ptrdiff_t>(at)))
                        ++wrong;
                }
            });
        }
        threads.clear();
        EXPECT_EQ(wrong, 0) << way.name;
    }
}

TEST(PackedSource, WhatTheOrdinaryToolsMake) {
    const tests::Scratch scratch;
    const Bytes bytes = content();
    std::ofstream(scratch.file("plain"), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    for (const char* const tool : {"gzip -1", "gzip -9", "xz -0", "xz -0 -T2 --block-size=700KiB",
                                   "zstd -q", "zstd -q --no-content-size", "zstd -q --long=24"}) {
        const std::string command =
            std::string(tool) + " -c < " + scratch.file("plain") + " > " + scratch.file("packed");
        if (tests::shell(command).status != 0) continue;  // not there
        const auto source = openSource(scratch.file("packed"));
        ASSERT_TRUE(source) << tool << ": " << source.error().describe();
        expectSame(**source, bytes);
    }
}

/// What can be had is right, and that more is missing is told or refused.
void expectHonest(const Bytes& file, const Bytes& bytes, std::size_t cut) {
    const auto source = open(file);
    if (!source) {
        EXPECT_FALSE(source.error().message.empty());
        return;
    }
    Bytes got(bytes.size() + 1);
    const auto read = (*source)->read(0, got);
    const std::size_t there = read.value_or(0);
    ASSERT_LE(there, bytes.size());
    ASSERT_TRUE(
        std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(there), bytes.begin()))
        << cut;
    if (there < bytes.size()) {
        EXPECT_TRUE(issuesOf(**source).lossy() || !read) << "cut at " << cut << " without a word";
    }
}

TEST(PackedSource, CutAtEveryOffset) {
    const Bytes bytes = content(40'000);
    for (const Way& way : ways(bytes)) {
        SCOPED_TRACE(way.name);
        // Between two members, streams or frames a file has nothing that says more follows.
        if (way.name.ends_with("s") && way.name != "xz_blocks") continue;
        const std::size_t size = way.file.size();
        // The first bytes alone tell what it is.
        const std::size_t told = way.name == "zstd_in_gzip" ? 64 : 6;
        for (std::size_t cut = told; cut < size; cut += cut < 90 || cut + 60 > size ? 1 : 149) {
            const auto end = way.file.begin() + static_cast<std::ptrdiff_t>(cut);
            expectHonest({way.file.begin(), end}, bytes, cut);
        }
    }
}

TEST(PackedSource, HalfOfItIsStillThere) {
    const Bytes bytes = content(1'500'000);
    for (const Way& way : ways(bytes)) {
        Bytes half = way.file;
        half.resize(half.size() / 2);
        const auto source = open(half);
        ASSERT_TRUE(source) << way.name << ": " << source.error().describe();
        EXPECT_TRUE(issuesOf(**source).lossy()) << way.name;
        EXPECT_GT((*source)->size(), bytes.size() / 8) << way.name;
        Bytes got(static_cast<std::size_t>((*source)->size()));
        const auto read = (*source)->read(0, got);
        ASSERT_TRUE(read) << way.name << ": " << read.error().describe();
        EXPECT_TRUE(std::equal(got.begin(), got.end(), bytes.begin())) << way.name;
    }
}

TEST(PackedSource, EveryByteWrong) {
    const Bytes bytes = content(20'000);
    Bytes piece(30'000);
    for (const Way& way : ways(bytes)) {
        for (std::size_t at = 0; at < way.file.size();
             at += at < 40 || at + 60 > way.file.size() ? 1 : 397) {
            for (const unsigned value : {0x00U, 0x81U, 0xffU}) {
                Bytes broken = way.file;
                broken[at] = static_cast<std::byte>(value);
                const auto source = open(std::move(broken));
                if (source && (*source)->size() > 0) {
                    (void)(*source)->read(0, piece);
                    (void)(*source)->read((*source)->size() - 1, piece);
                }
            }
        }
    }
}

TEST(PackedSource, AWrongChecksumIsTold) {
    const Bytes bytes = content(100'000);
    Bytes file = gzip(bytes);
    file[file.size() - 7] ^= std::byte{1};
    const auto source = open(file);
    ASSERT_TRUE(source);
    EXPECT_TRUE(issuesOf(**source).lossy());
    expectSame(**source, bytes);  // all of it is there nevertheless
    file = xz(bytes, 0, false);
    file[file.size() / 2] ^= std::byte{1};
    const auto other = open(file);
    Bytes got(bytes.size());
    EXPECT_FALSE(other && (*other)->read(0, got).value_or(0) == bytes.size());
}

TEST(PackedSource, ClaimsOfTerabytesAreRefused) {
    // zstd: a frame's header may claim anything.
    Bytes frame;
    appendInteger(frame, std::uint32_t{0xfd2fb528});
    appendInteger(frame, std::uint8_t{0xe0});  // eight bytes of size, a single segment
    appendInteger(frame, std::uint64_t{1} << 44);
    appendInteger(frame, std::uint32_t{0x000001});  // a last, stored block of nothing
    frame.pop_back();
    const auto claimed = open(frame);
    ASSERT_FALSE(claimed);
    EXPECT_EQ(claimed.error().code, Errc::malformed);
    // xz: so may the index, whose checksums are right.
    lzma_index* index = lzma_index_init(nullptr);
    ASSERT_EQ(lzma_index_append(index, nullptr, 40, std::uint64_t{1} << 44), LZMA_OK);
    lzma_stream_flags flags{};
    flags.check = LZMA_CHECK_NONE;
    flags.backward_size = lzma_index_size(index);
    Bytes file(12 + 40 + static_cast<std::size_t>(flags.backward_size) + 12);
    auto* const raw = reinterpret_cast<std::uint8_t*>(file.data());
    ASSERT_EQ(lzma_stream_header_encode(&flags, raw), LZMA_OK);
    std::size_t at = 52;
    ASSERT_EQ(lzma_index_buffer_encode(index, raw, &at, file.size()), LZMA_OK);
    ASSERT_EQ(lzma_stream_footer_encode(&flags, raw + at), LZMA_OK);
    lzma_index_end(index, nullptr);
    EXPECT_FALSE(open(file));
    // gzip cannot lie about its size; what zeros come to is unpacked in pieces.
    const auto zeros = open(gzip(Bytes(64 << 20)));
    ASSERT_TRUE(zeros);
    EXPECT_EQ((*zeros)->size(), 64U << 20);
    // What goes on and on is not followed.
    struct Endless final : ForwardDecoder {
        Result<std::size_t> decode(std::span<std::byte> out) override { return out.size(); }
        [[nodiscard]] std::uint64_t memory() const override { return 0; }
    } endless;
    std::optional<Error> damage;
    EXPECT_EQ(measure(endless, damage, 1 << 20), 1U << 20);
    ASSERT_TRUE(damage);
    EXPECT_EQ(damage->code, Errc::limit);
    // A third layer stays packed: the content is looked at, not for ever.
    const auto nested = open(gzip(gzip(gzip(content(1000)))));
    ASSERT_TRUE(nested);
    EXPECT_TRUE(isGzip(**nested));
}

}  // namespace
}  // namespace icecore
