#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>
#include <random>

#include "bytes/part_file.h"
#include "support/scratch.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

Bytes contentOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    Bytes bytes(text.size());
    std::ranges::transform(text, bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
    return bytes;
}

Bytes noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() | 1U); });
    return bytes;
}

/// Writes pieces and zeros of odd sizes in turn and returns what the file should hold.
Bytes writeSample(PartFile& file, unsigned seed) {
    std::mt19937 random(seed);
    Bytes expected;
    for (int i = 0; i < 60; ++i) {
        const Bytes piece = noise(random() % 40000, seed + static_cast<unsigned>(i));
        EXPECT_TRUE(file.write(piece));
        expected.insert(expected.end(), piece.begin(), piece.end());
        const std::size_t gap = i % 3 == 0 ? random() % 300000 : random() % 5000;
        EXPECT_TRUE(file.zeros(gap));
        expected.resize(expected.size() + gap);
        EXPECT_EQ(file.position(), expected.size());
    }
    return expected;
}

PartFileOptions smallBuffers() {
    PartFileOptions options;
    options.bufferSize = 65536;
    return options;
}

TEST(PartFile, HoldsWhatWasWrittenWithHolesForLongZeros) {
    const tests::Scratch scratch;
    for (const bool direct : {true, false}) {
        const std::string path = scratch.file(direct ? "direct" : "cached");
        PartFileOptions options = smallBuffers();
        options.direct = direct;
        auto file = createPartFile(path, options);
        ASSERT_TRUE(file) << file.error().describe();
        const Bytes expected = writeSample(**file, 1);
        EXPECT_TRUE(std::filesystem::exists(partPath(path)));
        EXPECT_FALSE(std::filesystem::exists(path));
        ASSERT_TRUE((*file)->finish());
        EXPECT_FALSE(std::filesystem::exists(partPath(path)));
        EXPECT_EQ(contentOf(path), expected);
        struct stat status{};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_LT(static_cast<std::size_t>(status.st_blocks) * 512, expected.size());
    }
}

/// Holds two pieces while the next is written, as one that works on another thread.
class Collector final : public FileWitness {
public:
    void seeBytes(std::shared_ptr<const std::byte> owner,
                  std::span<const std::byte> bytes) override {
        if (!owner) {
            add();
            seen_.insert(seen_.end(), bytes.begin(), bytes.end());
            return;
        }
        held_.emplace_back(std::move(owner), bytes);
        if (held_.size() > 2) addFirst();
    }
    void seeZeros(std::uint64_t count) override {
        add();
        seen_.resize(seen_.size() + count);
    }
    const Bytes& all() {
        add();
        return seen_;
    }

private:
    void add() {
        while (!held_.empty())
            addFirst();
    }
    void addFirst() {
        seen_.insert(seen_.end(), held_.front().second.begin(), held_.front().second.end());
        held_.pop_front();
    }
    std::deque<std::pair<std::shared_ptr<const std::byte>, std::span<const std::byte>>> held_;
    Bytes seen_;
};

TEST(PartFile, AWitnessSeesEveryByteInOrder) {
    const tests::Scratch scratch;
    const std::string path = scratch.file("seen");
    // Anew, and gone on with behind bytes that end in the middle of a block and of a buffer.
    for (const std::uint64_t keep : {0, 1, 4096, 70'001, 500'000}) {
        PartFileOptions options = smallBuffers();
        options.keep = keep;
        auto file = createPartFile(path, options);
        ASSERT_TRUE(file) << file.error().describe();
        Collector collector;
        (*file)->showTo(&collector);
        const Bytes expected = writeSample(**file, 4);
        ASSERT_TRUE((*file)->flush());
        ASSERT_TRUE((*file)->write(noise(5, 5)));
        ASSERT_TRUE((*file)->finish());
        EXPECT_EQ(collector.all(), contentOf(path)) << keep;
        EXPECT_GT(collector.all().size(), expected.size());
        std::filesystem::rename(path, partPath(path));
    }
}

TEST(PartFile, ScatteredPagesOfZerosBecomeHoles) {
    constexpr std::size_t page = 4096, pages = 4096;
    const tests::Scratch scratch;
    for (const bool direct : {true, false}) {
        const std::string path = scratch.file(direct ? "direct" : "cached");
        PartFileOptions options = smallBuffers();
        options.direct = direct;
        auto file = createPartFile(path, options);
        ASSERT_TRUE(file) << file.error().describe();
        Bytes expected(pages * page);
        std::mt19937 random(7);
        std::size_t written = 0;
        for (std::size_t i = 0; i < pages; ++i) {
            if (random() % 10 != 0) {
                ASSERT_TRUE((*file)->zeros(page));
                continue;
            }
            const Bytes piece = noise(page, static_cast<unsigned>(i));
            std::ranges::copy(piece, expected.begin() + static_cast<std::ptrdiff_t>(i * page));
            ASSERT_TRUE((*file)->write(piece));
            ++written;
        }
        // Where zeros are still in a buffer and where they are holes already.
        const Bytes late = noise(2 * page, 8);
        for (const std::size_t at : {page / 2, (pages - 8) * page + 100}) {
            std::ranges::copy(late, expected.begin() + static_cast<std::ptrdiff_t>(at));
            ASSERT_TRUE((*file)->patch(at, late));
        }
        ASSERT_TRUE((*file)->finish());
        EXPECT_EQ(contentOf(path), expected);
        struct stat status{};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        // The buffer that was patched is written as a whole, and so are those of few zeros.
        EXPECT_LT(static_cast<std::size_t>(status.st_blocks) * 512, (written + 64) * page);
    }
}

TEST(PartFile, LeavesNothingBehindWhereItCannotBeContinued) {
    const tests::Scratch scratch;
    const auto filesThere = [&] {
        return std::ranges::distance(std::filesystem::directory_iterator(scratch.file("")),
                                     std::filesystem::directory_iterator());
    };
    PartFileOptions options = smallBuffers();
    options.resumable = false;
    const std::string path = scratch.file("f");
    {
        auto file = createPartFile(path, options);
        ASSERT_TRUE(file) << file.error().describe();
        writeSample(**file, 2);
        EXPECT_EQ(filesThere(), 1);
        EXPECT_FALSE(std::filesystem::exists(partPath(path)));
    }
    EXPECT_EQ(filesThere(), 0);
    auto file = createPartFile(path, options);
    ASSERT_TRUE(file) << file.error().describe();
    const Bytes expected = writeSample(**file, 3);
    ASSERT_TRUE((*file)->finish());
    file->reset();
    EXPECT_EQ(contentOf(path), expected);
    EXPECT_EQ(filesThere(), 1);
}

TEST(PartFile, TakesTheNameOfNoDevice) {
    PartFileOptions options = smallBuffers();
    options.overwrite = true;
    for (const bool resumable : {true, false}) {
        options.resumable = resumable;
        const auto file = createPartFile("/dev/null", options);
        ASSERT_FALSE(file);
        EXPECT_EQ(file.error().code, Errc::exists);
    }
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(PartFile, PatchesReachWhatIsWrittenAndWhatIsNotYet) {
    const tests::Scratch scratch;
    auto file = createPartFile(scratch.file("f"), smallBuffers());
    ASSERT_TRUE(file);
    Bytes expected = noise(200000, 5);
    ASSERT_TRUE((*file)->write(expected));
    const Bytes patch = noise(1000, 6);
    // In the middle, over the border of what has been handed over, and in the buffer.
    for (const std::size_t at : {std::size_t{100}, std::size_t{65000}, std::size_t{3 * 65536 - 500},
                                 std::size_t{198999}}) {
        ASSERT_TRUE((*file)->patch(at, patch));
        std::ranges::copy(patch, expected.begin() + static_cast<std::ptrdiff_t>(at));
    }
    EXPECT_FALSE((*file)->patch(199500, patch));
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ(contentOf(scratch.file("f")), expected);
}

TEST(PartFile, GoesOnBehindWhatIsThere) {
    const tests::Scratch scratch;
    const std::string path = scratch.file("f");
    std::uint64_t certain = 0;
    {
        auto file = createPartFile(path, smallBuffers());
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write(noise(100001, 3)));
        ASSERT_TRUE((*file)->zeros(200003));
        ASSERT_TRUE((*file)->write(noise(777, 4)));
        ASSERT_TRUE((*file)->flush());
        certain = (*file)->position();
        ASSERT_TRUE((*file)->write(noise(90000, 9)));
    }  // killed
    EXPECT_FALSE(createPartFile(path, smallBuffers()));  // not by mistake
    PartFileOptions options = smallBuffers();
    options.keep = certain;
    auto file = createPartFile(path, options);
    ASSERT_TRUE(file) << file.error().describe();
    Bytes expected = noise(100001, 3);
    ASSERT_TRUE((*file)->write(expected));
    ASSERT_TRUE((*file)->zeros(200003));
    expected.resize(300004);
    Bytes more = noise(777, 4);
    const Bytes other = noise(300000, 10);
    more.insert(more.end(), other.begin(), other.end());
    ASSERT_TRUE((*file)->write(more));  // half of it known
    expected.insert(expected.end(), more.begin(), more.end());
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ(contentOf(path), expected);
}

TEST(PartFile, OtherBytesThanBeforeAreNoticed) {
    const tests::Scratch scratch;
    const std::string path = scratch.file("f");
    {
        auto file = createPartFile(path, smallBuffers());
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->write(noise(5000, 3)));
        ASSERT_TRUE((*file)->flush());
    }
    PartFileOptions options = smallBuffers();
    options.keep = 6000;
    EXPECT_FALSE(createPartFile(path, options));  // there are not so many
    options.keep = 5000;
    auto file = createPartFile(path, options);
    ASSERT_TRUE(file);
    Bytes other = noise(5000, 3);
    other[4000] ^= std::byte{1};
    const auto written = (*file)->write(other);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::mismatch);
}

TEST(PartFile, ReplacesOnlyWhenTold) {
    const tests::Scratch scratch;
    const std::string path = scratch.file("f");
    std::ofstream(path) << "old";
    EXPECT_FALSE(createPartFile(path, smallBuffers()));
    EXPECT_FALSE(createPartFile(scratch.file(""), smallBuffers()));
    EXPECT_FALSE(createPartFile(scratch.file("none/f"), smallBuffers()));
    PartFileOptions options = smallBuffers();
    options.overwrite = true;
    auto file = createPartFile(path, options);
    ASSERT_TRUE(file);
    EXPECT_EQ(contentOf(path).size(), 3U);
    ASSERT_TRUE((*file)->finish());
    EXPECT_EQ(contentOf(path).size(), 0U);
    // A name that is taken meanwhile is not lost.
    auto late = createPartFile(scratch.file("g"), smallBuffers());
    ASSERT_TRUE(late);
    std::ofstream(scratch.file("g")) << "somebody's";
    EXPECT_FALSE((*late)->finish());
    EXPECT_EQ(contentOf(scratch.file("g")).size(), 10U);
}

}  // namespace
}  // namespace icecore
