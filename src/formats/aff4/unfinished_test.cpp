// Archives of ours that were broken off: what can be read of them, and that one which is written
// once more begins with the same bytes whatever the memory behind has become meanwhile.
#include "formats/aff4/unfinished.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "formats/aff4/aff4.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/image/image.h"

namespace icecore::aff4 {
namespace {

using Bytes = std::vector<std::byte>;
using image::pageSize;

/// Runs of pages of noise, of zeros and of what cannot be read; two ranges, one not made of pages.
class Memory final : public AddressSpace {
public:
    explicit Memory(std::uint64_t seed) : bytes_(end), bad_(end / pageSize) { change(0, seed); }
    /// Everything from `from` on becomes something else.
    void change(std::uint64_t from, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        const auto below = [&](std::uint64_t limit) { return random() % limit; };
        for (std::uint64_t page = 0; page < end / pageSize;) {
            const std::uint64_t kind = below(8);
            const std::uint64_t run = 1 + below(kind == 0 ? 2 : 24);
            for (const std::uint64_t stop = page + run; page < std::min(stop, end / pageSize);
                 ++page) {
                const std::uint64_t begin = std::max(from, page * pageSize);
                const std::uint64_t stopAt = (page + 1) * pageSize;
                if (begin >= stopAt) continue;
                if (from <= page * pageSize) bad_[page] = kind == 0;
                for (std::uint64_t at = begin; at < stopAt; ++at)
                    bytes_[at] = kind < 4 ? std::byte{0} : static_cast<std::byte>(random() >> 17);
            }
        }
    }
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const std::uint64_t at = address + done;
            if (at >= end) return {done, Absence::not_mapped};
            if (bad_[at / pageSize]) return {done, Absence::unreadable};
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(
                out.size() - done, alignDown(at, pageSize) + pageSize - at));
            std::copy_n(bytes_.data() + at, count, out.data() + done);
            done += count;
        }
        return {done, Absence::none};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> extents;
        for (const Range& range : {Range::between(0x1800, 0x9fc00), Range::between(0x100000, end)})
            if (const Range part = range.intersect(within); !part.empty())
                extents.push_back({part, Absence::none, false});
        return extents;
    }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "it is so"; }

    static constexpr std::uint64_t end = std::uint64_t{6} << 20;

private:
    Bytes bytes_;
    std::vector<bool> bad_;
};

Bytes written(const std::shared_ptr<const AddressSpace>& memory, Codec codec,
              std::shared_ptr<const Source> begun = nullptr, bool blockHashes = true) {
    Snapshot snapshot;
    snapshot.machine.emplace();
    snapshot.machine->physical = memory;
    ImageOptions options;
    options.codec = codec;
    options.begun = std::move(begun);
    options.blockHashes = blockHashes;
    MemorySink sink;
    SilentProgress progress;
    EXPECT_TRUE(writeImage(snapshot, options, sink, progress));
    return sink.bytes();
}

Bytes beginning(const Bytes& bytes, std::uint64_t size) {
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(Aff4Unfinished, WrittenOnceMoreItBeginsTheSame) {
    const auto whole = aff4Format().wholeBytes;
    std::mt19937_64 random(5);
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const auto memory = std::make_shared<Memory>(seed);
        // Gone on with, it keeps to what it has begun.
        const bool hashes = seed % 3 != 0;
        Bytes archive = written(memory, seed % 2 == 0 ? Codec::lz4 : Codec::none, nullptr, hashes);
        // Three interruptions of the same acquisition.
        for (int time = 0; time < 3; ++time) {
            const std::uint64_t cut = random() % archive.size();
            const std::uint64_t size = whole(memorySource(beginning(archive, cut), "a.aff4"));
            ASSERT_LE(size, cut);
            if (size == 0) continue;
            const auto begun = memorySource(beginning(archive, size), "a.aff4");
            ASSERT_EQ(whole(begun), size);
            const auto found = readBegun(ZipReader::walk(begun), true);
            ASSERT_TRUE(found) << found.error().describe();
            EXPECT_EQ(found->blockHashes, hashes);
            memory->change(found->ends.back(), random());
            const Bytes again = written(memory, seed % 2 == 0 ? Codec::lz4 : Codec::none, begun);
            ASSERT_GE(again.size(), size);
            ASSERT_TRUE(
                std::ranges::equal(std::span(again).first(size), std::span(archive).first(size)))
                << "seed " << seed << ", " << size << " of " << cut;
            archive = again;
            SilentProgress progress;
            const auto checks = verify(memorySource(again, "a.aff4"), progress);
            ASSERT_TRUE(checks);
            EXPECT_TRUE(std::ranges::all_of(*checks, &FormatCheck::good)) << seed;
        }
    }
}

TEST(Aff4Unfinished, WhatItHasCanBeRead) {
    const auto memory = std::make_shared<Memory>(3);
    const Bytes archive = written(memory, Codec::snappy);
    for (std::uint64_t size = 0; size < archive.size(); size += 1 + archive.size() / 97) {
        const auto source = memorySource(beginning(archive, size), "a.aff4");
        const auto opened = open(source);
        const auto found = readBegun(ZipReader::walk(source), true);
        ASSERT_EQ(opened.has_value(), found.has_value()) << size;
        if (!opened) continue;
        EXPECT_TRUE(opened->issues.lossy());
        const std::uint64_t end = found->ends.empty() ? 0 : found->ends.back();
        std::vector<Range> there = image::storedRanges(*opened->machine->physical);
        EXPECT_EQ(image::endOf(there), end);
        for (const Range& range : there) {
            Bytes is(static_cast<std::size_t>(range.size())), should(is.size());
            EXPECT_EQ(opened->machine->physical->read(range.begin(), is).bytes, is.size());
            EXPECT_EQ(memory->read(range.begin(), should).bytes, should.size());
            EXPECT_EQ(is, should) << size;
        }
    }
}

TEST(Aff4Unfinished, WhatIsDamagedDoesNotCount) {
    const auto memory = std::make_shared<Memory>(4);
    const Bytes archive = written(memory, Codec::snappy);
    const auto size = [](const Bytes& bytes) {
        return aff4Format().wholeBytes(memorySource(bytes, "a.aff4"));
    };
    const Bytes half = beginning(archive, archive.size() / 2);
    const std::uint64_t whole = size(half);
    ASSERT_GT(whole, 0U);
    std::mt19937_64 random(6);
    for (int i = 0; i < 200; ++i) {
        Bytes broken = half;
        const std::uint64_t at = random() % whole;
        broken[at] ^= static_cast<std::byte>(1 + random() % 255);
        const std::uint64_t left = size(broken);
        // What counts lies before the damage, or the damage is in what makes no difference.
        if (left <= at) continue;
        const auto begun = readBegun(ZipReader::walk(memorySource(broken, "a.aff4")), true);
        const auto sound = readBegun(ZipReader::walk(memorySource(half, "a.aff4")), true);
        ASSERT_TRUE(begun && sound);
        EXPECT_EQ(begun->map, sound->map);
    }
    EXPECT_EQ(size({}), 0U);
    EXPECT_EQ(size(Bytes(100)), 0U);
}

}  // namespace
}  // namespace icecore::aff4
