// A compressed dump that was cut off or damaged: what is whole comes back, the rest is told.
#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/endian.h"
#include "bytes/seekable_zstd.h"
#include "formats/elfcore/core_samples.h"
#include "formats/elfcore/core_writer.h"
#include "formats/format.h"
#include "support/tee_sink.h"

namespace icecore {
namespace {

using namespace elfcore::testing;

/// A core of several compressed frames: much memory, all alike, so that the file stays small.
std::vector<std::byte> compressedCore() {
    Snapshot snapshot = sampleSnapshot();
    const std::uint64_t size = std::uint64_t{2} << 20;
    Process& process = *snapshot.process;
    process.regions[2].range = Range::ofSize(mapAt, size);
    SegmentSpaceBuilder memory(
        memorySource(std::vector<std::byte>(size, std::byte{0x5a}), "memory"));
    memory.addStored(Range::ofSize(mapAt, size), 0);
    process.memory = memory.build();
    std::vector<std::byte> file;
    auto sink = compressZstd(std::make_unique<tests::TeeSink>(file), 1, 1);
    SilentProgress progress;
    EXPECT_TRUE(writeElfCore(snapshot, samplePlan(snapshot), **sink, progress));
    EXPECT_TRUE((*sink)->finish());
    return file;
}

/// How it ended: not opened at all, opened with something told, or as if it were whole.
enum class Use : std::uint8_t { refused, partial, whole };

/// Whether the bytes that come back must be those that were written.
enum class Content : std::uint8_t { same, any };

Use use(std::vector<std::byte> bytes, Content content = Content::same) {
    const auto source = openSeekableZstd(memorySource(std::move(bytes), "damaged"));
    const auto refused = [](const Error& error) {
        EXPECT_FALSE(error.message.empty());
        return Use::refused;
    };
    if (!source) return refused(source.error());
    const auto format = recognise(**source);
    if (!format) return refused(format.error());
    const auto snapshot = (*format)->open(*source);
    if (!snapshot) return refused(snapshot.error());
    bool lossy = snapshot->issues.lossy();
    std::vector<std::byte> page(pageBytes);
    for (std::uint64_t at = mapAt; at < mapAt + (std::uint64_t{2} << 20); at += 64 * pageBytes) {
        const ReadOutcome got = snapshot->process->memory->read(at, page);
        const auto end = page.begin() + static_cast<std::ptrdiff_t>(got.bytes);
        if (content == Content::same) {
            EXPECT_EQ(std::count(page.begin(), end, std::byte{0x5a}), end - page.begin())
                << "invented bytes at " << std::hex << at;
        }
        if (got.bytes < page.size()) {
            EXPECT_NE(got.stopped, Absence::none);
            lossy = true;
        }
    }
    return lossy ? Use::partial : Use::whole;
}

TEST(CompressedDump, CutAtEveryOffset) {
    const std::vector<std::byte> whole = compressedCore();
    ASSERT_EQ(use(whole), Use::whole);
    std::size_t partial = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Use outcome = use({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        // Without its seek table alone, the frames are all there.
        if (outcome == Use::whole) {
            EXPECT_GT(size, whole.size() - 60) << size;
        }
        if (outcome == Use::partial) ++partial;
    }
    EXPECT_GT(partial, 100U) << "whole frames were thrown away";
}

TEST(CompressedDump, EveryByteOfItsStructureWrong) {
    const std::vector<std::byte> whole = compressedCore();
    for (const int value : {0x00, 0x7f, 0x80, 0xff}) {
        for (std::size_t at = 0; at < whole.size(); at += at + 100 < whole.size() ? 19 : 1) {
            std::vector<std::byte> damaged = whole;
            damaged[at] = static_cast<std::byte>(value);
            // A size in the seek table that lies is found by the frame it speaks of; those behind
            // it are then elsewhere, as with any offset of a dump that lies.
            (void)use(std::move(damaged), Content::any);
        }
    }
}

}  // namespace
}  // namespace icecore
