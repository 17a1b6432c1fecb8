#include "live/linux/proc.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace icecore::live {
namespace {

TEST(ProcStat, ANameMayHoldAnything) {
    const auto stat = parseStat(
        "4711 (a) b (c) R 1) S 12 34 56 0 -1 1077936128 1 2 3 4 500 600 7 8 20 -5 9 0 123456 1 2");
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->name, "a) b (c) R 1");
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->parent, 12);
    EXPECT_EQ(stat->processGroup, 34);
    EXPECT_EQ(stat->session, 56);
    EXPECT_EQ(stat->userTicks, 500U);
    EXPECT_EQ(stat->kernelTicks, 600U);
    EXPECT_EQ(stat->nice, -5);
    EXPECT_EQ(stat->startTicks, 123456U);
    EXPECT_FALSE(stat->kernelThread());
    EXPECT_FALSE(stat->dead());
}

TEST(ProcStat, OfOurselves) {
    const auto stat = parseStat(readProcOrEmpty("/proc/self/stat"));
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->parent, ::getppid());
    EXPECT_EQ(stat->session, ::getsid(0));
    EXPECT_GT(stat->startTicks, 0U);
}

TEST(ProcStat, DamageIsNothing) {
    for (const char* text : {"", "1", "1 (x", "1 x) S", "1 (x) S 1 2", ") ("})
        EXPECT_FALSE(parseStat(text).has_value()) << text;
}

TEST(ProcStatus, FieldsByTheirWholeName) {
    constexpr std::string_view status =
        "Name:\tx\nSigPnd:\t00000000000000ff\nUid:\t1\t2\t3\t4\n"
        "VmRSS:\t  12 kB\nTgid:\t77";
    EXPECT_EQ(statusField(status, "Name"), "x");
    EXPECT_EQ(statusField(status, "Nam"), "");
    EXPECT_EQ(statusMask(status, "SigPnd"), 0xffU);
    EXPECT_EQ(statusNumber(status, "Uid"), 1U);
    EXPECT_EQ(statusNumber(status, "VmRSS"), 12U);
    EXPECT_EQ(statusNumber(status, "Tgid"), 77U);
    EXPECT_FALSE(statusNumber(status, "Name").has_value());
    EXPECT_FALSE(statusNumber("", "Name").has_value());
}

TEST(Proc, StringsBetweenNuls) {
    using namespace std::string_view_literals;
    EXPECT_EQ(splitNul("a\0\0b c\0"sv), (std::vector<std::string>{"a", "", "b c"}));
    EXPECT_EQ(splitNul("a"sv), (std::vector<std::string>{"a"}));
    EXPECT_TRUE(splitNul("").empty());
}

TEST(Proc, FilesThatAreNotThere) {
    EXPECT_EQ(readProc("/proc/self/nothing").error().code, Errc::not_found);
    EXPECT_EQ(readProcOrEmpty("/proc/self/nothing"), "");
    EXPECT_EQ(readLink("/proc/self/nothing"), "");
    EXPECT_TRUE(numbersIn("/proc/self/nothing").empty());
    EXPECT_FALSE(numbersIn("/proc/self/task").empty());
    EXPECT_EQ(readProc("/proc/self/maps", 100)->size(), 100U);
}

}  // namespace
}  // namespace icecore::live
