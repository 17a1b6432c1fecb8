#include <gtest/gtest.h>

#include <deque>
#include <fstream>

#include "bytes/past_cache.h"
#include "support/scratch.h"

namespace icecore {
namespace {

TEST(PastCache, GivesWhatIsThereAndSaysWhatIsNot) {
    const tests::Scratch scratch;
    constexpr std::size_t memory = std::size_t{256} << 10;
    std::string content(700'001, '\0');
    for (std::size_t i = 0; i < content.size(); ++i)
        content[i] = static_cast<char>(i * 2654435761U >> 11);
    std::ofstream(scratch.file("file"), std::ios::binary) << content;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096},
                                   std::size_t{262'144}, std::size_t{262'145}, content.size()}) {
        std::string got;
        // Kept for a while: they stay as they are.
        std::deque<std::pair<std::shared_ptr<const std::byte>, std::span<const std::byte>>> kept;
        const auto takeFirst = [&] {
            const auto bytes = kept.front().second;
            got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            kept.pop_front();
        };
        const auto read = readPastCache(
            scratch.file("file"), size, memory,
            [&](const std::shared_ptr<const std::byte>& owner, std::span<const std::byte> bytes) {
                kept.emplace_back(owner, bytes);
                if (kept.size() == 3) takeFirst();
            });
        ASSERT_TRUE(read) << read.error().describe();
        while (!kept.empty())
            takeFirst();
        EXPECT_EQ(got, content.substr(0, size));
    }
    const auto ignore = [](const auto&, std::span<const std::byte>) {};
    const auto beyond = readPastCache(scratch.file("file"), content.size() + 1, memory, ignore);
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, Errc::truncated);
    EXPECT_FALSE(readPastCache(scratch.file("nothing"), 1, memory, ignore));
}

}  // namespace
}  // namespace icecore
