#include "bytes/read_at_posix.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "bytes/descriptor_posix.h"
#include "support/scratch.h"

namespace icecore {
namespace {

TEST(ReadAt, FillsOrSaysHowFarAndWhy) {
    const tests::Scratch scratch;
    const std::string path = scratch.file("some");
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::write(file.get(), "0123456789", 10), 10);
    std::array<std::byte, 4> out{};
    EXPECT_EQ(readAt(file.get(), 3, out).bytes, 4U);
    EXPECT_EQ(std::memcmp(out.data(), "3456", 4), 0);
    const auto [bytes, error] = readAt(file.get(), 8, out);
    EXPECT_EQ(bytes, 2U);
    EXPECT_EQ(error, 0);
    EXPECT_EQ(readAt(file.get(), 100, out).bytes, 0U);
    EXPECT_EQ(readAt(-1, 0, out).error, EBADF);
    EXPECT_EQ(readAt(file.get(), UINT64_MAX, out).error, EINVAL);

    EXPECT_TRUE(readAllAt(file.get(), 6, out, path));
    const auto cut = readAllAt(file.get(), 7, out, path);
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::truncated);
    EXPECT_NE(cut.error().describe().find(path), std::string::npos);
    EXPECT_FALSE(readAllAt(-1, 0, out, path));
}

}  // namespace
}  // namespace icecore
