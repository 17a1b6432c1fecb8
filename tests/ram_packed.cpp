// Images of memory that are compressed as a whole or cut into parts, used as they are: info, verify
// and convert open them without anybody unpacking or joining anything.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "support/image_compare.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

class RamPacked : public testing::Test {
protected:
    void SetUp() override {
        std::mt19937_64 random(11);
        std::string bytes(size_, '\0');
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            if ((at >> 12) % 3 == 1) continue;
            const std::uint64_t value = (at >> 12) % 3 == 0 ? random() : at / 64;
            std::memcpy(bytes.data() + at, &value, sizeof value);
        }
        std::ofstream(file("memory.raw"), std::ios::binary) << bytes;
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    ShellOutput in(const std::string& command) {
        return shell("cd '" + scratch_.file("") + "'; { " + command + "; } 2>&1");
    }
    ShellOutput icecore(const std::string& arguments) { return in(program() + " " + arguments); }
    json info(const std::string& name) {
        return json::parse(icecore("info --json " + name).text, nullptr, false);
    }

    static constexpr std::size_t size_ = std::size_t{3} << 20;
    Scratch scratch_;
};

TEST_F(RamPacked, WholeFilesInEveryCompression) {
    for (const std::string name : {"m.lime", "m.kdump", "m.raw"}) {
        if (name == "m.raw")
            ASSERT_EQ(in("cp memory.raw m.raw").status, 0);
        else
            ASSERT_NE(icecore("convert memory.raw " + name).status, 1);
        for (const std::string tool : {"gzip -1", "xz -0", "xz -0 -T2 --block-size=1MiB", "zstd -q",
                                       "zstd -q --no-content-size"}) {
            const std::string_view ending = tool[0] == 'g'   ? ".gz"
                                            : tool[0] == 'x' ? ".xz"
                                                             : ".zst";
            const std::string packed = fmt::format("{}{}", name, ending);
            if (in(fmt::format("{} -c <{} >{}", tool, name, packed)).status != 0) continue;
            SCOPED_TRACE(fmt::format("{} by {}", packed, tool));
            const json said = info(packed);
            EXPECT_EQ(said["format"], info(name)["format"]);
            EXPECT_EQ(said["bytes"], std::filesystem::file_size(file(name)));
            EXPECT_TRUE(sameMemory(file(packed), file("memory.raw")));
        }
        EXPECT_EQ(icecore("verify " + name + ".gz").status, 0);
        // Conversion reads it on several threads.
        EXPECT_NE(icecore("convert --overwrite --threads 3 " + name + ".xz back.aff4").status, 1);
        EXPECT_TRUE(sameMemory(file("back.aff4"), file("memory.raw")));
    }
}

TEST_F(RamPacked, WhatIsCutOffIsTold) {
    ASSERT_EQ(in("gzip -1 -c <memory.raw >m.raw.gz; truncate -s 700K m.raw.gz").status, 0);
    const auto told = icecore("info m.raw.gz");
    EXPECT_EQ(told.status, 3) << told.text;
    EXPECT_NE(told.text.find("cut off"), std::string::npos) << told.text;
    EXPECT_EQ(icecore("verify m.raw.gz").status, 1);
    const auto converted = icecore("convert m.raw.gz half.lime");
    EXPECT_EQ(converted.status, 3) << converted.text;
    EXPECT_TRUE(sameMemory(file("half.lime"), file("memory.raw")));
}

TEST_F(RamPacked, PartsAreOneImage) {
    ASSERT_EQ(icecore("convert memory.raw m.lime").status & 1, 0);
    ASSERT_EQ(in("split -b 512K m.lime m.lime. && split -b 512K -d -a 3 memory.raw disk. &&"
                 " gzip -c m.lime | split -b 300K -d -a 3 - m.lime.gz.")
                  .status,
              0);
    for (const std::string name : {"m.lime.aa", "m.lime.ac", "disk.000", "disk", "m.lime.gz.000"}) {
        SCOPED_TRACE(name);
        EXPECT_TRUE(sameMemory(file(name), file("memory.raw")));
        EXPECT_TRUE(sameMemory(file("memory.raw"), file(name)));
    }
    EXPECT_EQ(icecore("verify disk.000").status, 0);
}

TEST_F(RamPacked, AMissingPartIsAHoleAndMovesNothing) {
    ASSERT_EQ(in("split -b 512K -d -a 3 memory.raw disk. && rm disk.002").status, 0);
    const auto told = icecore("info disk.000");
    EXPECT_EQ(told.status, 3);
    EXPECT_NE(told.text.find("part 3 of 6 is missing"), std::string::npos) << told.text;
    const auto snapshot = openDump(file("disk.004"));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    std::byte one[1];
    EXPECT_EQ(snapshot->machine->physical->read(0x17f000, one).stopped, Absence::truncated);
    EXPECT_EQ(icecore("convert disk.000 part.elf").status, 3);
    EXPECT_TRUE(sameMemory(file("part.elf"), file("memory.raw")));
    const auto part = openDump(file("part.elf"));
    ASSERT_TRUE(part);
    EXPECT_EQ(image::storedRanges(*part->machine->physical),
              (std::vector{Range::between(0, 0x100000), Range::between(0x180000, 0x300000)}));
    // Without the first part nothing says where the others belong.
    ASSERT_EQ(in("rm disk.000 disk.001").status, 0);
    const auto refused = icecore("info disk.003");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.text.find("the first part is missing"), std::string::npos) << refused.text;
}

TEST_F(RamPacked, LimesOwnCompression) {
    const json said = info(sourceFile("fuzz/corpus/packed/lime_zlib"));
    EXPECT_EQ(said["format"], "lime");
    EXPECT_EQ(said["bytes"], 32 + 4096);
}

TEST_F(RamPacked, OfOthersMachines) {
    struct Case {
        std::string seed, format;
        std::vector<std::string> losses;  ///< in LiME
    };
    for (const Case& one :
         {Case{"vmss", "vmware", {"registers of 1 CPU:"}}, Case{"hiberfil", "hiberfil", {}},
          Case{"hiberfil_32", "hiberfil", {}}}) {
        SCOPED_TRACE(one.seed);
        const std::string path = sourceFile("fuzz/corpus/machine/" + one.seed);
        const json said = info(path);
        EXPECT_EQ(said["format"], one.format);
        EXPECT_EQ(icecore("verify " + path).status, 0);
        const auto elf = icecore("convert --overwrite " + path + " m.elf");
        EXPECT_EQ(elf.status, 0) << elf.text;
        EXPECT_TRUE(sameMemory(path, file("m.elf")));
        EXPECT_TRUE(sameMemory(file("m.elf"), path));
        const auto lime = icecore("convert --overwrite " + path + " m.lime");
        EXPECT_EQ(lime.status, one.losses.empty() ? 0 : 3) << lime.text;
        for (const std::string& loss : one.losses)
            EXPECT_NE(lime.text.find(loss), std::string::npos) << lime.text;
        // They are read, never written.
        EXPECT_EQ(icecore("convert --format " + one.format + " m.lime out").status, 2);
    }
}

}  // namespace
}  // namespace icecore::tests
