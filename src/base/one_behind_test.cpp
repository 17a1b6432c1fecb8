#include "base/one_behind.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace icecore {
namespace {

TEST(OneBehind, UsesEverythingInOrderAndHoldsTwoAtMost) {
    std::vector<int> used;
    std::atomic<int> done = 0;
    {
        OneBehind<int> behind([&](int value) -> Result<void> {
            used.push_back(value);
            ++done;
            return {};
        });
        for (int i = 0; i < 1000; ++i) {
            ASSERT_TRUE(behind.give(i));
            EXPECT_GE(done + 2, i);  // one is used, one waits
        }
        ASSERT_TRUE(behind.drain());
        EXPECT_EQ(done, 1000);
        ASSERT_TRUE(behind.give(1000));
    }
    ASSERT_EQ(used.size(), 1001U);  // what was given last is used, too
    for (int i = 0; i <= 1000; ++i)
        EXPECT_EQ(used[static_cast<std::size_t>(i)], i);
}

TEST(OneBehind, TheFirstErrorStays) {
    int used = 0;
    OneBehind<int> behind([&](int value) -> Result<void> {
        ++used;
        if (value == 3) return fail(Errc::io, "the disk is full");
        return {};
    });
    Result<void> given;
    for (int i = 0; i < 100 && given; ++i)
        given = behind.give(i);
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().message, "the disk is full");
    EXPECT_EQ(behind.drain().error().code, Errc::io);
    EXPECT_FALSE(behind.give(7));
    EXPECT_EQ(used, 4);
}

TEST(OneBehind, NothingGivenIsNothingDone) {
    OneBehind<int> behind([](int) -> Result<void> { return fail(Errc::internal, "never"); });
    EXPECT_TRUE(behind.drain());
}

}  // namespace
}  // namespace icecore
