// AFF4 images of several volumes by the program: convert, ram, winpmem and verify.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "support/image_compare.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

class RamVolumes : public testing::Test {
protected:
    /// Noise and zeros, MiB by MiB and page by page.
    void SetUp() override {
        std::mt19937_64 random(11);
        std::string bytes(size_, '\0');
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            if ((at >> 20) % 4 == 1 || (at >> 12) % 4 == 2) continue;
            const std::uint64_t value = random();
            std::memcpy(bytes.data() + at, &value, sizeof value);
        }
        std::ofstream(file("memory.raw"), std::ios::binary) << bytes;
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    ShellOutput run(const std::string& arguments) {
        return shell("cd '" + scratch_.file("") + "'; { " + program() + " " + arguments +
                     "; } 2>&1");
    }
    /// Names of all files but the memory, hidden ones too.
    std::set<std::string> files() {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(file(""))) {
            if (entry.is_regular_file()) names.insert(entry.path().filename().string());
        }
        names.erase("memory.raw");
        return names;
    }
    void expectWhole(const std::string& name) {
        EXPECT_TRUE(sameMemory(file(name), file("memory.raw"))) << name;
        EXPECT_TRUE(sameMemory(file("memory.raw"), file(name))) << name;
        const auto verified = run("verify " + name);
        EXPECT_EQ(verified.status, 0) << verified.text;
    }

    static constexpr std::size_t size_ = std::size_t{8} << 20;
    Scratch scratch_;
};

TEST_F(RamVolumes, ConvertStripesAndBack) {
    for (const std::string codec : {"snappy", "none"}) {
        const auto made =
            run("convert memory.raw a.aff4 --stripe b.aff4 --stripe c.aff4 "
                "--overwrite --json --compress " +
                codec);
        ASSERT_EQ(made.status, 0) << made.text;
        const json said = json::parse(made.text, nullptr, false);
        ASSERT_EQ(said["volumes"].size(), 3U) << made.text;
        std::uint64_t bytes = 0;
        for (const json& volume : said["volumes"]) {
            const auto path = volume["path"].get<std::string>();
            EXPECT_EQ(volume["bytes"], std::filesystem::file_size(file(path)));
            bytes += volume["bytes"].get<std::uint64_t>();
            expectWhole(path);
            ASSERT_EQ(run("convert " + path + " back.lime --overwrite").status, 0);
            EXPECT_TRUE(sameMemory(file("back.lime"), file("memory.raw"))) << path;
        }
        EXPECT_EQ(said["bytes"], bytes);
        EXPECT_EQ(files(), (std::set<std::string>{"a.aff4", "b.aff4", "c.aff4", "back.lime"}));
    }
}

TEST_F(RamVolumes, StripesOnOtherDisksAreBroughtTogether) {
    std::filesystem::create_directory(file("one"));
    std::filesystem::create_directory(file("two"));
    ASSERT_EQ(run("convert memory.raw one/a.aff4 --stripe two/b.aff4").status, 0);
    const auto alone = run("verify one/a.aff4");
    EXPECT_EQ(alone.status, 1);
    EXPECT_NE(alone.text.find("b.aff4"), std::string::npos) << alone.text;
    std::filesystem::create_symlink(file("two/b.aff4"), file("one/b.aff4"));
    expectWhole("one/a.aff4");
}

TEST_F(RamVolumes, ConvertSplitsAndBack) {
    const auto made = run("convert memory.raw s.aff4 --split 1M --compress none --json");
    ASSERT_EQ(made.status, 0) << made.text;
    const json said = json::parse(made.text, nullptr, false);
    const std::size_t count = said["volumes"].size();
    ASSERT_GT(count, 4U) << made.text;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = i == 0 ? "s.aff4" : fmt::format("s_{}.aff4", i + 1);
        EXPECT_EQ(said["volumes"][i]["path"], name);
        EXPECT_LE(std::filesystem::file_size(file(name)), 1U << 20);
        if (i == 0 || i == 2 || i + 1 == count) expectWhole(name);
    }
    EXPECT_EQ(files().size(), count);
    // A volume of the same numbers in the way, and in place of it.
    const auto again = run("convert memory.raw s.aff4 --split 1M");
    EXPECT_EQ(again.status, 1);
    EXPECT_NE(again.text.find("exists"), std::string::npos) << again.text;
    EXPECT_EQ(run("convert memory.raw s.aff4 --split 2m --overwrite").status, 0);
    expectWhole("s.aff4");
    std::filesystem::remove(file("s.aff4"));
    EXPECT_EQ(run("convert memory.raw s.aff4 --split 1M").status, 1);
    // WinPmem's switch.
    EXPECT_EQ(run("winpmem -i memory.raw -e Memory -c none -s 1M -o w.aff4").status, 0);
    EXPECT_TRUE(std::filesystem::exists(file("w_4.aff4")));
    expectWhole("w.aff4");
}

TEST_F(RamVolumes, RamTellsAllVolumesInItsManifest) {
    for (const std::string volumes : {"--stripe r.b.aff4", "--split 1M --compress none"}) {
        const auto taken = run("ram --source memory.raw -o r.aff4 --overwrite " + volumes);
        ASSERT_EQ(taken.status, 0) << taken.text;
        const json said = json::parse(std::ifstream(file("r.aff4.json")), nullptr, false);
        ASSERT_TRUE(said.is_object());
        EXPECT_EQ(said["schema"], "icecore.ram/1");
        EXPECT_EQ(said["hashes"], json::object());
        ASSERT_GE(said["volumes"].size(), 2U);
        std::uint64_t bytes = 0;
        for (const json& volume : said["volumes"]) {
            const auto path = volume["path"].get<std::string>();
            EXPECT_EQ(volume["bytes"], std::filesystem::file_size(file(path)));
            EXPECT_EQ(volume["hashes"]["sha256"],
                      shell("sha256sum < " + file(path)).text.substr(0, 64));
            EXPECT_EQ(volume["hashes"].size(), 2U);
            bytes += volume["bytes"].get<std::uint64_t>();
        }
        EXPECT_EQ(said["bytes"], bytes);
        expectWhole("r.aff4");
        const auto second = said["volumes"][1]["path"].get<std::string>();
        expectWhole(second);
        // One more byte at an end that no hash of the format covers: the manifest's do.
        const std::string whole = readText(file(second));
        std::ofstream(file(second), std::ios::binary | std::ios::app) << '\0';
        const auto longer = run("verify r.aff4");
        EXPECT_EQ(longer.status, 1) << longer.text;
        EXPECT_NE(longer.text.find(second + " sha256"), std::string::npos) << longer.text;
        std::ofstream(file(second), std::ios::binary) << whole;
        expectWhole("r.aff4");
    }
}

TEST_F(RamVolumes, RefusesWhatCannotBeSeveral) {
    const auto refused = [&](const std::string& arguments, const std::string& why) {
        const auto answer = run(arguments);
        EXPECT_EQ(answer.status, 2) << arguments << answer.text;
        EXPECT_NE(answer.text.find(why), std::string::npos) << arguments << answer.text;
    };
    const std::string ram = "ram --source memory.raw ";
    for (const std::string verb : {"convert memory.raw ", "ram --source memory.raw -o "}) {
        refused(verb + "x.lime --stripe y.lime", "lime");
        refused(verb + "x.raw --split 1M", "raw");
        refused(verb + "x.aff4 --split 1M --stripe y.aff4", "exclude");
        refused(verb + "x.aff4 --split 0", "size");
        refused(verb + "x.aff4 --split many", "size");
        refused(verb + "- --format aff4 --stripe y.aff4", "files");
        refused(verb + "tcp://127.0.0.1:1 --format aff4 --split 1M", "files");
        refused(verb + "x.aff4 --stripe tls://host:1", "files");
        refused(verb + "x.aff4 --stripe x.aff4", "names of their own");
        refused(verb + "x.aff4 --stripe /dev/null", "files");
    }
    refused(ram + "-o x.aff4 --stripe y.aff4 --resume", "--resume");
    refused(ram + "-o x.aff4 --split 1M --resume", "--resume");
    refused("winpmem -i memory.raw -e M --format raw --volume_format raw -s 1M -o x.raw", "raw");
    const auto small = run("convert memory.raw x.aff4 --split 5000");
    EXPECT_EQ(small.status, 1);
    EXPECT_NE(small.text.find("at least"), std::string::npos) << small.text;
    EXPECT_EQ(files(), std::set<std::string>());
}

TEST_F(RamVolumes, NothingIsLeftOfWhatFails) {
    // A volume that is there, a folder that is not, a disk that has no room (a file that may not
    // become longer), and an interruption.
    std::ofstream(file("there.aff4")) << "something";
    EXPECT_EQ(run("convert memory.raw x.aff4 --stripe there.aff4").status, 1);
    EXPECT_EQ(run("convert memory.raw x.aff4 --stripe nowhere/y.aff4").status, 1);
    for (const std::string volumes :
         {"--stripe y.aff4", "--stripe y.aff4 --stripe z.aff4", "--split 6M"}) {
        for (const std::string verb :
             {"convert memory.raw", "ram --source memory.raw --force -o"}) {
            const auto full =
                shell(fmt::format("cd '{}'; trap '' XFSZ; ulimit -f 1000; {} {} x.aff4 --compress "
                                  "none {} 2>&1",
                                  file(""), program(), verb, volumes));
            EXPECT_EQ(full.status, 1) << full.text;
            EXPECT_NE(full.text.find(".aff4"), std::string::npos) << full.text;
            EXPECT_EQ(full.text.find(".volume"), std::string::npos) << full.text;
            EXPECT_EQ(files(), std::set<std::string>{"there.aff4"}) << full.text;
        }
        const auto broken = run(
            fmt::format("ram --source memory.raw --rate 2 -o x.aff4 --compress none {} & pid=$!; "
                        "until ls -A | grep -q volume; do sleep 0.02; done; sleep 0.5; "
                        "kill -TERM $pid; wait $pid",
                        volumes));
        EXPECT_EQ(broken.status, 1) << broken.text;
        EXPECT_EQ(files(), std::set<std::string>{"there.aff4"}) << broken.text;
    }
    EXPECT_EQ(readText(file("there.aff4")), "something");
}

}  // namespace
}  // namespace icecore::tests
