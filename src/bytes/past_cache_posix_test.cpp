#include <gtest/gtest.h>

#include <fstream>

#include "bytes/past_cache.h"
#include "support/scratch.h"

namespace icecore {
namespace {

TEST(PastCache, GivesWhatIsThereAndSaysWhatIsNot) {
    const tests::Scratch scratch;
    std::string content(700'001, '\0');
    for (std::size_t i = 0; i < content.size(); ++i)
        content[i] = static_cast<char>(i * 2654435761U >> 11);
    std::ofstream(scratch.file("file"), std::ios::binary) << content;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096},
                                   std::size_t{262'144}, std::size_t{262'145}, content.size()}) {
        std::string got;
        const auto read =
            readPastCache(scratch.file("file"), size, [&](std::span<const std::byte> bytes) {
                got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            });
        ASSERT_TRUE(read) << read.error().describe();
        EXPECT_EQ(got, content.substr(0, size));
    }
    const auto ignore = [](std::span<const std::byte>) {};
    const auto beyond = readPastCache(scratch.file("file"), content.size() + 1, ignore);
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, Errc::truncated);
    EXPECT_FALSE(readPastCache(scratch.file("nothing"), 1, ignore));
}

}  // namespace
}  // namespace icecore
