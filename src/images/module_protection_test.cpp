#include "images/module_protection.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "images/elf_modules.h"
#include "images/elf_test_file.h"
#include "images/own_process_for_tests.h"

namespace icecore {
namespace {

TEST(ModuleProtection, IsWhatTheKernelSaysOfThisVeryProcess) {
    Process process = tests::ourselves();
    Issues issues;
    findElfModules(process, issues);
    const std::vector<Region> told = process.regions.items;
    std::vector<Range> doubtful;
    for (Region& region : process.regions) {
        if (region.kind != RegionKind::image) continue;
        region.protection = {true, false, false, false};
        doubtful.push_back(region.range);
    }
    ASSERT_GT(doubtful.size(), 8U) << "a program and some libraries, each in several mappings";
    protectAsLinked(process, doubtful);
    for (std::size_t i = 0; i < told.size(); ++i) {
        EXPECT_EQ(process.regions[i].protection, told[i].protection)
            << hex(told[i].range.begin()) << " " << told[i].name;
    }
}

TEST(ModuleProtection, IsOnlyMendedWhereItIsDoubtful) {
    Process process = tests::ourselves();
    Issues issues;
    findElfModules(process, issues);
    for (Region& region : process.regions)
        region.protection = {true, false, false, false};
    const std::vector<Region> told = process.regions.items;
    protectAsLinked(process, {});
    EXPECT_EQ(process.regions.items, told);
}

TEST(ModuleProtection, IsNotToldWhereTheHeadersAreNotInTheDump) {
    Process process;
    process.system.arch = Arch::x86_64;
    process.memory = SegmentSpaceBuilder(memorySource({}, "nothing")).build();
    Region region;
    region.range = Range::ofSize(0x1000, 0x3000);
    region.protection = {true, false, false, false};
    process.regions.items = {region, region};
    process.regions[1].range = Range::ofSize(0x9000, 0x1000);
    Module module;
    module.range = region.range;
    process.modules.items = {module};
    protectAsLinked(process, std::vector{Range::between(0, 0x10000)});
    EXPECT_EQ(process.regions[0].protection, Protection{});
    EXPECT_EQ(process.regions[1].protection, region.protection) << "of no module";
}

}  // namespace
}  // namespace icecore
