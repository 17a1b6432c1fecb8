#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bytes/sink.h"
#include "bytes/source.h"
#include "bytes/sparse.h"
#include "support/scratch.h"

namespace icecore {
namespace {

using tests::Scratch;

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i * 13 + 1);
    return bytes;
}

std::size_t filesIn(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(FileSink, AppearsOnlyWhenFinished) {
    const Scratch scratch;
    const std::string path = scratch.file("dump");
    {
        auto sink = createFileSink(path, {});
        ASSERT_TRUE(sink) << sink.error().describe();
        ASSERT_TRUE((*sink)->write(pattern(100)));
        EXPECT_FALSE(std::filesystem::exists(path));
    }
    EXPECT_EQ(filesIn(scratch.file("")), 0U);  // nothing is left of an unfinished one
    auto sink = createFileSink(path, {});
    ASSERT_TRUE(sink);
    ASSERT_TRUE((*sink)->write(pattern(100)));
    ASSERT_TRUE((*sink)->finish());
    EXPECT_EQ(filesIn(scratch.file("")), 1U);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_EQ(status.st_size, 100);
}

TEST(FileSink, NeverReplacesUnasked) {
    const Scratch scratch;
    const std::string path = scratch.file("dump");
    auto late = createFileSink(path, {});  // the name is free now …
    ASSERT_TRUE(late);
    std::ofstream(path) << "mine";
    const auto taken = createFileSink(path, {});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::exists);
    const auto finished = (*late)->finish();  // … and taken when it is finished
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, Errc::exists);
    EXPECT_EQ(std::filesystem::file_size(path), 4U);

    FileSinkOptions options;
    options.overwrite = true;
    auto replacing = createFileSink(path, options);
    ASSERT_TRUE(replacing);
    EXPECT_EQ(std::filesystem::file_size(path), 4U);  // the old one stays until then
    ASSERT_TRUE((*replacing)->write(pattern(9)));
    ASSERT_TRUE((*replacing)->finish());
    EXPECT_EQ(std::filesystem::file_size(path), 9U);
}

TEST(FileSink, ZerosAreHoles) {
    const Scratch scratch;
    const std::string path = scratch.file("dump");
    auto sink = createFileSink(path, {});
    ASSERT_TRUE(sink);
    ASSERT_TRUE((*sink)->write(pattern(4096)));
    ASSERT_TRUE((*sink)->zeros(64 << 20));
    EXPECT_EQ((*sink)->position(), 4096U + (64U << 20));
    ASSERT_TRUE((*sink)->patch(0, pattern(8)));
    ASSERT_TRUE((*sink)->finish());
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 4096 + (64 << 20));  // it ends in a hole and has its length
    EXPECT_LT(status.st_blocks * 512, 1 << 20);
    const auto source = openSource(path);
    ASSERT_TRUE(source);
    std::vector<std::byte> tail(16, std::byte{1});
    EXPECT_EQ(*(*source)->read((*source)->size() - 8, tail), 8U);
    EXPECT_EQ(tail[0], std::byte{0});
}

TEST(FileSink, TooLittleSpaceIsToldBefore) {
    const Scratch scratch;
    FileSinkOptions options;
    options.expected = UINT64_MAX / 2;
    const auto sink = createFileSink(scratch.file("dump"), options);
    ASSERT_FALSE(sink);
    EXPECT_NE(sink.error().message.find("not enough space"), std::string::npos);
    EXPECT_EQ(filesIn(scratch.file("")), 0U);
}

TEST(FileSink, AFullDiskIsAnErrorAndLeavesNothing) {
    const Scratch scratch;
    const std::string folder = scratch.file("small");
    std::filesystem::create_directory(folder);
    if (::mount("none", folder.c_str(), "tmpfs", 0, "size=1m") != 0)
        GTEST_SKIP() << "mounting needs root";
    {
        auto sink = createFileSink(folder + "/dump", {});
        EXPECT_TRUE(sink);
        const auto written = sink ? (*sink)->write(pattern(4 << 20)) : Result<void>();
        EXPECT_FALSE(written);
        if (!written) {
            EXPECT_EQ(written.error().code, Errc::io);
        }
    }
    EXPECT_EQ(filesIn(folder), 0U);
    EXPECT_EQ(::umount(folder.c_str()), 0);
}

TEST(FileSource, SaysWhatItCannotOpen) {
    const Scratch scratch;
    const auto code = [](const std::string& path) {
        const auto source = openSource(path);
        return source ? Errc::internal : source.error().code;
    };
    EXPECT_EQ(code(scratch.file("missing")), Errc::not_found);
    EXPECT_EQ(code(scratch.file("")), Errc::malformed);
    ASSERT_EQ(::mkfifo(scratch.file("fifo").c_str(), 0600), 0);
    EXPECT_EQ(code(scratch.file("fifo")), Errc::unsupported);
    std::ofstream(scratch.file("empty")) << "";
    const auto empty = openSource(scratch.file("empty"));
    ASSERT_TRUE(empty);
    EXPECT_EQ((*empty)->size(), 0U);
    const auto load = (*empty)->load(0, 1);
    ASSERT_FALSE(load);
    EXPECT_EQ(load.error().code, Errc::truncated);
}

TEST(FileSource, LongHolesAreKnownAndShortOnesAreReadOver) {
    constexpr std::uint64_t mebi = std::uint64_t{1} << 20;
    const Scratch scratch;
    const std::string path = scratch.file("sparse");
    {
        std::ofstream file(path, std::ios::binary);
        // Every other 4 KiB of the first MiB, and 4 KiB at 3 MiB.
        for (std::uint64_t at = 0; at < mebi; at += 8192) {
            file.seekp(static_cast<std::streamoff>(at));
            file << std::string(4096, 'x');
        }
        file.seekp(3 * mebi);
        file << std::string(4096, 'y');
    }
    std::filesystem::resize_file(path, 5 * mebi);
    const auto source = openSource(path);
    ASSERT_TRUE(source);
    const auto ranges = dataRanges(**source);
    // File systems have larger blocks than these pages, too.
    ASSERT_EQ(ranges.size(), 2U);
    EXPECT_EQ(ranges[0].begin(), 0U);
    EXPECT_NEAR(static_cast<double>(ranges[0].end()), mebi, 65536);
    EXPECT_LE(ranges[1].begin(), 3 * mebi);
    EXPECT_GE(ranges[1].end(), 3 * mebi + 4096);
    EXPECT_LT(ranges[1].size(), 65536 + 4096U);
}

TEST(FileSource, AFileCutWhileItIsReadIsNoCrash) {
    const Scratch scratch;
    const std::string path = scratch.file("dump");
    {
        std::ofstream file(path);
        file << std::string(100'000, 'x');
    }
    const auto source = openSource(path);
    ASSERT_TRUE(source);
    std::filesystem::resize_file(path, 10);
    std::vector<std::byte> bytes(4096);
    const auto got = (*source)->read(50'000, bytes);
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 0U);
}

}  // namespace
}  // namespace icecore
