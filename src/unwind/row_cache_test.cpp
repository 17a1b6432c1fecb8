#include "unwind/row_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace icecore {
namespace {

UnwindRow rowOf(std::uint64_t address) {
    UnwindRow row;
    row.functionBegin = address;
    row.rules.push_back({1, RuleKind::offset, 0, static_cast<std::int32_t>(address % 1000)});
    return row;
}

TEST(RowCache, KeepsTheFirstRowOfAnAddress) {
    RowCache cache;
    EXPECT_EQ(cache.find(0x1000), nullptr);
    const UnwindRow* kept = cache.add(0x1000, rowOf(0x1000));
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(cache.find(0x1000), kept);
    EXPECT_EQ(cache.add(0x1000, rowOf(0x2000)), kept);
    EXPECT_EQ(cache.find(0x1000)->functionBegin, 0x1000U);
}

TEST(RowCache, WhenItIsFullItSaysSoAndKeepsWhatItHas) {
    RowCache cache;
    std::size_t refused = 0;
    for (std::uint64_t i = 0; i < 100'000; ++i)
        refused += cache.add(i * 16, rowOf(i * 16)) == nullptr;
    EXPECT_GT(refused, 0U);
    std::size_t kept = 0;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const UnwindRow* row = cache.find(i * 16);
        if (row == nullptr) continue;
        ++kept;
        ASSERT_EQ(row->functionBegin, i * 16);
    }
    EXPECT_EQ(kept + refused, 100'000U);
}

TEST(RowCache, ThreadsAgree) {
    RowCache cache;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (std::uint64_t i = 0; i < 2000; ++i) {
                const std::uint64_t address = 0x400000 + i * 7;
                const UnwindRow* row = cache.find(address);
                if (row == nullptr) row = cache.add(address, rowOf(address));
                if (row != nullptr && row->functionBegin != address) ++wrong;
                if (row != nullptr && cache.find(address) != row) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace icecore
