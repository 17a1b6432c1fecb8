#include "base/time_text.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

using TimePoint = std::chrono::sys_time<std::chrono::nanoseconds>;

TEST(TimeText, OfAnyMoment) {
    EXPECT_EQ(isoTime(TimePoint(std::chrono::seconds(1764000000))), "2025-11-24T16:00:00Z");
    EXPECT_EQ(timeText(TimePoint(std::chrono::seconds(-1))), "1969-12-31 23:59:59 UTC");
    EXPECT_FALSE(isoTime(TimePoint::max()).empty());
    EXPECT_FALSE(isoTime(TimePoint::min()).empty());
}

}  // namespace
}  // namespace icecore
