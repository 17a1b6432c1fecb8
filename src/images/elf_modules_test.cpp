#include "images/elf_modules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "images/elf_test_file.h"
#include "images/own_process_for_tests.h"

namespace icecore {
namespace {

/// Lowest address of every file with an executable mapping.
std::map<std::string, std::uint64_t> executableFiles(const Process& process) {
    std::map<std::string, std::uint64_t> lowest;
    std::map<std::string, bool> executable;
    for (const Region& region : process.regions) {
        if (!region.name.starts_with('/')) continue;
        lowest.try_emplace(region.name, region.range.begin());
        executable[region.name] |= region.protection.execute;
    }
    std::erase_if(lowest, [&](const auto& item) { return !executable[item.first]; });
    return lowest;
}

std::map<std::string, std::uint64_t> basesOf(const Process& process) {
    std::map<std::string, std::uint64_t> bases;
    for (const Module& module : process.modules) {
        if (module.path.starts_with('/')) bases[module.path] = module.range.begin();
    }
    return bases;
}

void expectBuildIdsOfFiles(const Process& process) {
    for (const Module& module : process.modules) {
        if (!module.path.starts_with('/')) continue;
        const auto file = openMappedFile(module.path);
        ASSERT_TRUE(file.has_value()) << file.error().describe();
        const auto image = ElfImage::open(*file);
        ASSERT_TRUE(image.has_value());
        EXPECT_EQ(module.id.text(), hexBytes((*image)->buildId())) << module.path;
        EXPECT_EQ(module.bias, module.range.begin() - (*image)->imageBase()) << module.path;
        EXPECT_EQ(module.range.size(), alignUp((*image)->imageSize(), 4096)) << module.path;
    }
}

TEST(ElfModules, ofThisVeryProcess) {
    Process process = tests::ourselves();
    Issues issues;
    findElfModules(process, issues);
    EXPECT_THAT(issues.items(), testing::IsEmpty());
    EXPECT_EQ(basesOf(process), executableFiles(process));
    expectBuildIdsOfFiles(process);
    const auto libc = std::ranges::find_if(process.modules.items, [](const Module& module) {
        return module.fileName() == "libc.so.6";
    });
    ASSERT_NE(libc, process.modules.items.end());
    EXPECT_EQ(libc->version, "6");
    const Region* start = process.regionAt(libc->range.begin());
    ASSERT_NE(start, nullptr);
    EXPECT_EQ(start->kind, RegionKind::image);
    if (const auto vdso = process.auxvValue(elf::auxVdso)) {
        const Module* module = process.moduleAt(*vdso);
        ASSERT_NE(module, nullptr);
        EXPECT_EQ(module->path, "[vdso]");
        EXPECT_EQ(module->id.kind, ModuleId::Kind::build_id);
        EXPECT_EQ(process.regionAt(*vdso)->kind, RegionKind::vdso);
    }
}

TEST(ElfModules, namesComeFromTheLinkerWhenRegionsHaveNone) {
    Process process = tests::ourselves();
    const auto expected = executableFiles(process);
    for (Region& region : process.regions) {
        region.name.clear();
        region.fileOffset = 0;
    }
    Issues issues;
    findElfModules(process, issues);
    // The linker's names may go through symbolic links: the same files all the same.
    std::map<std::string, std::uint64_t> bases;
    for (const auto& [path, base] : basesOf(process))
        bases[std::filesystem::canonical(path).string()] = base;
    EXPECT_EQ(bases, expected);
    expectBuildIdsOfFiles(process);
}

TEST(ElfModules, aDeletedFileKeepsItsName) {
    Process process = tests::ourselves();
    for (Region& region : process.regions) {
        if (region.name.starts_with('/')) region.name += " (deleted)";
    }
    Issues issues;
    findElfModules(process, issues);
    EXPECT_EQ(process.modules.items.empty(), false);
    for (const Module& module : process.modules)
        EXPECT_THAT(module.path, testing::Not(testing::HasSubstr("(deleted)")));
}

Region mapping(std::uint64_t at, std::uint64_t size, bool execute, std::string name) {
    Region region;
    region.range = Range::ofSize(at, size);
    region.protection = {true, false, execute, false};
    region.name = std::move(name);
    return region;
}

TEST(ElfModules, aFileMappedAsDataIsNone) {
    tests::ElfTestFile file;
    Process process;
    process.system.arch = Arch::x86_64;
    process.memory = file.load(0x500000);
    process.regions.items = {mapping(0x500000, 0x1000, false, "/data/libtest.so")};
    Issues issues;
    findElfModules(process, issues);
    EXPECT_TRUE(process.modules.empty());
    process.regions.items[0].protection.execute = true;
    findElfModules(process, issues);
    ASSERT_EQ(process.modules.size(), 1U);
    EXPECT_EQ(process.modules[0].bias, 0x500000 - tests::ElfTestFile::base);
    EXPECT_EQ(process.modules[0].version, "1");
}

TEST(ElfModules, withoutItsHeaderAModuleIsItsMappings) {
    Process process;
    process.system.arch = Arch::x86_64;
    process.regions.items = {mapping(0x1000, 0x1000, false, "/lib/libgone.so.2"),
                             mapping(0x2000, 0x3000, true, "/lib/libgone.so.2"),
                             mapping(0x9000, 0x1000, false, "/lib/other.so")};
    process.regions.items[1].fileOffset = 0x1000;
    Issues issues;
    findElfModules(process, issues);
    ASSERT_EQ(process.modules.size(), 1U);
    EXPECT_EQ(process.modules[0].range, Range::between(0x1000, 0x5000));
    EXPECT_EQ(process.modules[0].path, "/lib/libgone.so.2");
    EXPECT_EQ(process.modules[0].version, "2");
    EXPECT_FALSE(process.modules[0].bias.has_value());
}

/// A process whose linker's list goes in circles.
TEST(ElfModules, circularLinkMapEnds) {
    std::vector<std::byte> bytes(0x1000);
    const auto put = [&](std::size_t at, std::uint64_t value) {
        storeInteger(bytes.data() + at, value);
    };
    constexpr std::uint64_t at = 0x400000;
    elf::Program64 headers{}, dynamic{};
    headers.type = elf::segmentHeaders;
    headers.virtualAddress = at;
    dynamic.type = elf::segmentDynamic;
    dynamic.virtualAddress = at + 0x100;
    dynamic.memorySize = 0x20;
    std::memcpy(bytes.data(), &headers, sizeof headers);
    std::memcpy(bytes.data() + sizeof headers, &dynamic, sizeof dynamic);
    put(0x100, elf::dynamicDebug);
    put(0x108, at + 0x200);       // r_debug
    put(0x200, 1);                // r_version
    put(0x208, at + 0x300);       // r_map
    put(0x300 + 24, at + 0x400);  // l_next
    put(0x400 + 24, at + 0x300);  // and back
    SegmentSpaceBuilder builder(memorySource(std::move(bytes), "memory"));
    builder.addStored(Range::ofSize(at, 0x1000), 0);
    Process process;
    process.system.arch = Arch::x86_64;
    process.memory = builder.build();
    process.auxv = {{elf::auxProgramHeaders, at}, {elf::auxProgramCount, 2}};
    Issues issues;
    findElfModules(process, issues);
    ASSERT_FALSE(issues.empty());
    EXPECT_THAT(issues.items()[0].message, testing::HasSubstr("goes in circles"));
}

/// Thousands of modules take a moment, not minutes; each is found.
TEST(ElfModules, thousands) {
    const std::vector<std::byte> file = tests::ElfTestFile{}.build();
    constexpr std::size_t count = 5000;
    SegmentSpaceBuilder builder(memorySource(file, "memory"));
    Process process;
    process.system.arch = Arch::x86_64;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t at = 0x7f0000000000 + i * 0x2000;
        builder.addStored(Range::ofSize(at, file.size()), 0);
        process.regions.items.push_back(
            mapping(at, 0x1000, true, "/lib/lib" + std::to_string(i) + ".so"));
    }
    process.memory = builder.build();
    Issues issues;
    findElfModules(process, issues);
    EXPECT_EQ(process.modules.size(), count);
}

}  // namespace
}  // namespace icecore
