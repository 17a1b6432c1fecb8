#include "live/linux/maps.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "live/linux/proc.h"

namespace icecore::live {
namespace {

constexpr std::string_view text =
    "55d0c0000000-55d0c0001000 r-xp 00002000 fd:01 1234567                    /usr/bin/a b\\012c\n"
    "55d0c0002000-55d0c0004000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
    "7f0000001000-7f0000002000 rw-s 00000000 00:01 42                         /memfd:x (deleted)\n"
    "7f0000002000-7f0000003000 rw-s 00000000 00:05 7                          /dev/shm/y\n"
    "7f0000003000-7f0000004000 rw-s 00000000 00:0f 8                          "
    "anon_inode:[io_uring]\n"
    "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
    "7ffc00030000-7ffc00034000 r--p 00000000 00:00 0                          [vvar]\n"
    "7ffc00034000-7ffc00036000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

TEST(Maps, EveryKindOfLine) {
    Issues issues;
    const std::vector<Region> regions = parseMaps(text, issues);
    EXPECT_TRUE(issues.empty());
    ASSERT_EQ(regions.size(), 10U);
    const Region& program = regions[0];
    EXPECT_EQ(program.range, Range::between(0x55d0c0000000, 0x55d0c0001000));
    EXPECT_EQ(program.protection, (Protection{true, false, true, false}));
    EXPECT_EQ(program.fileOffset, 0x2000U);
    EXPECT_EQ(program.device, ::makedev(0xfd, 1));
    EXPECT_EQ(program.inode, 1234567U);
    EXPECT_EQ(program.name, "/usr/bin/a b\nc");
    EXPECT_EQ(program.kind, RegionKind::file);
    EXPECT_EQ(regions[1].kind, RegionKind::heap);
    EXPECT_EQ(regions[2].kind, RegionKind::anonymous);
    EXPECT_EQ(regions[2].protection, Protection{});
    EXPECT_EQ(regions[3].kind, RegionKind::shared);
    EXPECT_TRUE(regions[3].shared);
    EXPECT_EQ(regions[4].kind, RegionKind::file);
    EXPECT_EQ(regions[5].kind, RegionKind::shared);
    EXPECT_EQ(regions[6].kind, RegionKind::stack);
    EXPECT_EQ(regions[7].kind, RegionKind::special);
    EXPECT_EQ(regions[8].kind, RegionKind::vdso);
    EXPECT_EQ(regions[9].kind, RegionKind::special);
}

TEST(Maps, LinesThatAreNotUnderstoodAreToldAndOthersKept) {
    Issues issues;
    const auto regions = parseMaps(
        "nonsense\n1000-2000 rw-p 0 0:0 0\n1000\n3000-2000 rw-p 0 0:0 0\n"
        "1800-2800 rw-p 00000000 00:00 0 \n",
        issues);
    ASSERT_EQ(regions.size(), 1U);  // the last overlaps: a list that changed while it was read
    EXPECT_EQ(issues.items().size(), 3U);
}

TEST(Maps, FlagsGoToTheirRegions) {
    Issues issues;
    std::vector<Region> regions = parseMaps(text, issues);
    const std::string path = testing::TempDir() + "icecore_smaps";
    std::ofstream(path) << "55d0c0000000-55d0c0001000 r-xp 00002000 fd:01 1 /usr/bin/a\n"
                           "Size:   4 kB\nVmFlags: rd ex mr mw me \n"
                           "66d0c0000000-66d0c0001000 rw-p 00000000 00:00 0 \n"
                           "VmFlags: dd dc wf io ht \n"
                           "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
                           "VmFlags: mr mw me dd wf \n"
                           "7f0000001000-7f0000002000 rw-s 00000000 00:01 42 /memfd:x (deleted)\n"
                           "VmFlags: sh dc pf\n";
    ASSERT_TRUE(addRegionFlags(path, regions));
    std::remove(path.c_str());
    EXPECT_FALSE(regions[0].dontDump);
    EXPECT_FALSE(regions[1].dontDump || regions[1].io || regions[1].hugeTlb);
    EXPECT_TRUE(regions[2].dontDump && regions[2].wipeOnFork);
    EXPECT_FALSE(regions[2].dontFork);
    EXPECT_TRUE(regions[3].dontFork && regions[3].io);
    EXPECT_FALSE(addRegionFlags("/proc/self/nothing", regions));
}

TEST(Maps, OfOurselves) {
    Issues issues;
    std::vector<Region> regions = parseMaps(readProcOrEmpty("/proc/self/maps"), issues);
    EXPECT_TRUE(issues.empty());
    EXPECT_GT(regions.size(), 10U);
    ASSERT_TRUE(addRegionFlags("/proc/self/smaps", regions));
    const auto vvar = std::ranges::find_if(
        regions, [](const Region& region) { return region.name.starts_with("[vvar"); });
    if (vvar != regions.end()) {
        EXPECT_TRUE(vvar->dontDump && vvar->io);
    }
}

}  // namespace
}  // namespace icecore::live
