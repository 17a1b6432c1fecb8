#include "model/linux_maps.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

constexpr std::string_view example =
    "55d0c7a00000-55d0c7a02000 r--p 00000000 08:01 131090                     /usr/bin/cat\n"
    "55d0c8500000-55d0c8521000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000001000 rw-s 00000000 00:01 2051                       /memfd:a b "
    "(deleted)\n"
    "7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n"
    "7f0000003000-7f0000004000 r-xp 00001000 103:05 12345678901               /tmp/a\\012b "
    "(deleted)\n"
    "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "7ffd001a0000-7ffd001a4000 r--p 00000000 00:00 0                          [vvar]\n"
    "7ffd001a4000-7ffd001a6000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

TEST(LinuxMaps, EveryField) {
    Issues issues;
    const auto regions = parseLinuxMaps(example, issues);
    EXPECT_TRUE(issues.empty());
    ASSERT_EQ(regions.size(), 9U);
    EXPECT_EQ(regions[0].range, Range::between(0x55d0c7a00000, 0x55d0c7a02000));
    EXPECT_EQ(regions[0].protection, (Protection{true, false, false, false}));
    EXPECT_EQ(regions[0].device, 0x801U);
    EXPECT_EQ(regions[0].inode, 131090U);
    EXPECT_EQ(regions[0].kind, RegionKind::file);
    EXPECT_EQ(regions[1].kind, RegionKind::heap);
    EXPECT_EQ(regions[2].kind, RegionKind::shared);
    EXPECT_EQ(regions[2].name, "/memfd:a b (deleted)");
    EXPECT_TRUE(regions[2].shared);
    EXPECT_EQ(regions[3].kind, RegionKind::anonymous);
    EXPECT_EQ(regions[4].name, "/tmp/a\nb (deleted)");
    EXPECT_EQ(regions[4].fileOffset, 0x1000U);
    EXPECT_EQ(regions[5].kind, RegionKind::stack);
    EXPECT_EQ(regions[6].kind, RegionKind::special);
    EXPECT_EQ(regions[7].kind, RegionKind::vdso);
    EXPECT_EQ(regions[8].range.begin(), 0xffffffffff600000U);
}

TEST(LinuxMaps, PrintedAsTheKernelDoes) {
    Issues issues;
    const std::string printed = printLinuxMaps(parseLinuxMaps(example, issues));
    EXPECT_EQ(parseLinuxMaps(printed, issues), parseLinuxMaps(example, issues));
    EXPECT_EQ(printed.substr(0, printed.find('\n')), example.substr(0, example.find('\n')));
    EXPECT_TRUE(issues.empty());
}

TEST(LinuxMaps, NonsenseCostsItsLineOnly) {
    Issues issues;
    const auto regions = parseLinuxMaps(
        "nonsense\n"
        "2000-1000 r--p 0 0:0 0\n"
        "1000-2000 r--p 0 0:0 0 /a\n"
        "1800-3000 r--p 0 0:0 0 /overlaps\n"
        "4000-5000 r--p 0 0:0\n"
        "123456789abcdef01-123456789abcdef02 r--p 0 0:0 0\n"
        "6000-7000 rwxp 0 0:0 0",
        issues);
    ASSERT_EQ(regions.size(), 2U);
    EXPECT_EQ(regions[1].range.begin(), 0x6000U);
    ASSERT_EQ(issues.items().size(), 1U);
    EXPECT_NE(issues.items()[0].message.find("5 lines"), std::string::npos);
}

}  // namespace
}  // namespace icecore
