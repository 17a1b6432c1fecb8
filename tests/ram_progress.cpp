// What an acquisition tells while it runs, and how fast it may be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(RamProgress, SaysBytesSpeedAndTimeLeftAndKeepsTheRate) {
    const Scratch scratch;
    constexpr std::size_t size = std::size_t{10} << 20;
    std::string bytes(size, 'r');
    for (std::size_t at = 0; at < size; at += 64)
        bytes[at] = static_cast<char>(at >> 6);
    std::ofstream(scratch.file("memory.raw"), std::ios::binary) << bytes;
    const auto start = std::chrono::steady_clock::now();
    const auto taken = shell("cd '" + scratch.file("") + "' && " + program() +
                             " ram --source memory.raw --progress plain --rate 3 -o a.lime 2>&1");
    const auto took = std::chrono::steady_clock::now() - start;
    ASSERT_EQ(taken.status, 0) << taken.text;
    // 10.5 MB at 3 MB/s; more is the machine's affair.
    EXPECT_GE(took, std::chrono::milliseconds(3000));
    EXPECT_THAT(taken.text, ContainsRegex("writing[^\n]*MiB[^\n]*/s[^\n]*0:0[0-9] left"));
    // And nothing of the kind where nobody asked and nobody watches.
    const auto quiet = shell("cd '" + scratch.file("") + "' && " + program() +
                             " ram --source memory.raw -o b.lime 2>&1 >/dev/null");
    EXPECT_EQ(quiet.status, 0);
    EXPECT_THAT(quiet.text, ::testing::Not(HasSubstr("writing")));
}

}  // namespace
}  // namespace icecore::tests
