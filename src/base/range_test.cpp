#include "base/range.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

using Map = RangeMap<std::uint64_t>;

std::vector<Map::Entry> sealed(const std::vector<std::pair<Range, std::uint64_t>>& added,
                               std::size_t* cut = nullptr) {
    Map map;
    for (const auto& [range, value] : added)
        map.add(range, value);
    const std::size_t count =
        map.seal([](std::uint64_t& value, std::uint64_t bytes) { value += bytes; });
    if (cut != nullptr) *cut = count;
    return map.entries();
}
Range r(std::uint64_t begin, std::uint64_t end) {
    return Range::between(begin, end);
}

TEST(Range, NeverWraps) {
    EXPECT_EQ(Range::ofSize(UINT64_MAX - 1, 10).end(), UINT64_MAX);
    EXPECT_TRUE(Range::between(10, 5).empty());
    EXPECT_EQ(checkedAdd(UINT64_MAX, 1), std::nullopt);
    EXPECT_EQ(checkedMultiply(UINT64_MAX / 2, 3), std::nullopt);
    EXPECT_EQ(alignUp(UINT64_MAX, 4096), UINT64_MAX - 4095);
}

TEST(RangeMap, SortsWhatIsDisjoint) {
    std::size_t cut = 9;
    const auto entries = sealed({{r(20, 30), 2}, {r(0, 10), 1}}, &cut);
    EXPECT_EQ(cut, 0U);
    EXPECT_EQ(entries, (std::vector<Map::Entry>{{r(0, 10), 1}, {r(20, 30), 2}}));
}

TEST(RangeMap, TheOneAddedFirstKeepsTheCommonPart) {
    std::size_t cut = 0;
    // The second lies around the first: it keeps a piece on either side, shifted by what is gone.
    const auto entries = sealed({{r(40, 50), 7}, {r(0, 100), 1000}}, &cut);
    EXPECT_EQ(cut, 1U);
    EXPECT_EQ(entries,
              (std::vector<Map::Entry>{{r(0, 40), 1000}, {r(40, 50), 7}, {r(50, 100), 1050}}));
    EXPECT_EQ(sealed({{r(0, 100), 1}, {r(40, 50), 7}}), (std::vector<Map::Entry>{{r(0, 100), 1}}));
}

TEST(RangeMap, AgreesWithAByteByByteModel) {
    std::uint64_t seed = 12345;
    const auto next = [&](std::uint64_t limit) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        return (seed >> 33) % limit;
    };
    for (int round = 0; round < 200; ++round) {
        std::vector<std::pair<Range, std::uint64_t>> added;
        std::array<std::uint64_t, 64> model{};
        for (std::uint64_t i = 0; i < 12; ++i) {
            const std::uint64_t begin = next(60);
            const Range range = r(begin, std::min<std::uint64_t>(64, begin + next(20)));
            added.emplace_back(range, (i + 1) * 1000);
            for (std::uint64_t at = range.begin(); at < range.end(); ++at) {
                if (model[at] == 0) model[at] = (i + 1) * 1000 + at - range.begin();
            }
        }
        std::array<std::uint64_t, 64> got{};
        std::uint64_t end = 0;
        for (const auto& entry : sealed(added)) {
            EXPECT_GE(entry.range.begin(), end);
            end = entry.range.end();
            for (std::uint64_t at = entry.range.begin(); at < end; ++at)
                got[at] = entry.value + at - entry.range.begin();
        }
        EXPECT_EQ(got, model);
    }
}

TEST(RangeSet, AddsSubtractsAndAnswers) {
    RangeSet set;
    set.add(r(10, 20));
    set.add(r(30, 40));
    set.add(r(20, 30));
    EXPECT_EQ(set.ranges(), std::vector<Range>{r(10, 40)});
    set.subtract(r(15, 17));
    EXPECT_EQ(set.bytes(), 28U);
    EXPECT_FALSE(set.contains(16));
    EXPECT_TRUE(set.contains(r(17, 40)));
    EXPECT_EQ(set.missing(r(0, 50)), (std::vector<Range>{r(0, 10), r(15, 17), r(40, 50)}));
    EXPECT_EQ(set.within(r(12, 18)), (std::vector<Range>{r(12, 15), r(17, 18)}));
}

}  // namespace
}  // namespace icecore
