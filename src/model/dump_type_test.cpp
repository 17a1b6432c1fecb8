#include "model/dump_type.h"

#include <gtest/gtest.h>

#include <string>

namespace icecore {
namespace {

TEST(DumpType, EveryFlagByBothNamesInAnyCase) {
    ASSERT_EQ(dumpFlags().size(), 14U);
    std::uint32_t expected = 1;
    for (const DumpFlagInfo& info : dumpFlags()) {
        EXPECT_EQ(static_cast<std::uint32_t>(info.flag), expected) << info.name;
        expected <<= 1;
        EXPECT_FALSE(info.onLinux.empty());
        const DumpType type{static_cast<std::uint32_t>(info.flag), false};
        const std::string shortName(info.name.substr(8));
        for (std::string name : {std::string(info.name), shortName}) {
            EXPECT_EQ(parseDumpType(name), type) << name;
            for (char& c : name)
                c = static_cast<char>(std::toupper(c));
            EXPECT_EQ(parseDumpType(name), type) << name;
        }
        EXPECT_EQ(parseDumpType(toString(type)), type);
    }
    EXPECT_EQ(parseDumpType("MiniDumpNormal"), DumpType{});
    EXPECT_EQ(parseDumpType("normal"), DumpType{});
}

TEST(DumpType, NumbersAndSets) {
    EXPECT_EQ(parseDumpType("0x1806")->flags, 0x1806U);
    EXPECT_EQ(parseDumpType("2")->flags, 2U);
    EXPECT_EQ(parseDumpType("WithFullMemory|MiniDumpWithHandleData , 0x800")->flags, 0x806U);
    EXPECT_EQ(parseDumpType("heap|WithCodeSegs")->flags, parseDumpType("heap")->flags | 0x2000U);
    EXPECT_EQ(toString(*parseDumpType("0x2006")),
              "MiniDumpWithFullMemory|MiniDumpWithHandleData|MiniDumpWithCodeSegs");
}

TEST(DumpType, PresetsAreNamedAndDistinct) {
    for (const DumpPreset& preset : dumpPresets()) {
        EXPECT_EQ(parseDumpType(preset.name), preset.type);
        EXPECT_EQ(toString(preset.type), preset.name);
    }
    EXPECT_EQ(parseDumpType("mini")->flags, 0U);
    EXPECT_TRUE(parseDumpType("full")->has(DumpFlag::with_full_memory));
    EXPECT_TRUE(parseDumpType("heap")->has(DumpFlag::with_private_read_write_memory));
    EXPECT_TRUE(parseDumpType("triage")->has(DumpFlag::filter_memory));
}

TEST(DumpType, TheKernelsChoiceStandsAlone) {
    EXPECT_TRUE(parseDumpType("kernel-default")->kernelDefault);
    EXPECT_EQ(toString({0, true}), "kernel-default");
    EXPECT_FALSE(parseDumpType("kernel-default|WithHandleData")->kernelDefault);
    EXPECT_FALSE(parseDumpType("WithHandleData|kernel-default")->kernelDefault);
}

TEST(DumpType, CoredumpFiltersAreMasks) {
    const auto type = parseDumpType("coredump_filter=0x1");
    ASSERT_TRUE(type);
    EXPECT_TRUE(type->keeps(CoreFilter::anonymous_private));
    EXPECT_FALSE(type->keeps(CoreFilter::elf_headers));
    EXPECT_EQ(toString(*type), "coredump_filter=0x1");
    EXPECT_EQ(*parseDumpType("coredump_filter=33"), *parseDumpType("kernel-default"));
    EXPECT_EQ(*parseDumpType("coredump_filter=0x1|WithHandleData"),
              *parseDumpType("WithHandleData"));
    EXPECT_FALSE(parseDumpType("WithFullMemory")->keeps(CoreFilter::anonymous_private));
}

TEST(DumpType, WhatIsWrongIsNamed) {
    for (const std::string_view text :
         {"coredump_filter=", "coredump_filter=0x200", "coredump_filter=x", "", "|", "full|",
          "full||mini", "fulll", "0x10000", "-1", "0x"}) {
        const auto type = parseDumpType(text);
        ASSERT_FALSE(type) << text;
        EXPECT_EQ(type.error().code, Errc::usage) << text;
    }
    EXPECT_NE(parseDumpType("full|Nonsense").error().message.find("Nonsense"), std::string::npos);
    EXPECT_NE(parseDumpType("0x84000").error().message.find("0x84000"), std::string::npos);
}

}  // namespace
}  // namespace icecore
