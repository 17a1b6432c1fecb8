// Acquisitions that were interrupted and go on while the machine has lived on: what was taken stays
// as it was, everything behind is what the memory is now.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "formats/image/image.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

class RamResume : public testing::Test {
protected:
    void SetUp() override { live("before", 1); }
    /// The machine's memory as it is now: noise, zeros here and there, another for each `seed`.
    void live(const std::string& copy, std::uint64_t seed) {
        std::mt19937_64 random(seed);
        std::string bytes(size_, '\0');
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            if (((at >> 14) + seed) % 5 == 1 || ((at >> 12) + seed) % 7 == 2) continue;
            const std::uint64_t value = random();
            std::memcpy(bytes.data() + at, &value, sizeof value);
        }
        std::ofstream(file("memory.raw"), std::ios::binary) << bytes;
        std::ofstream(file(copy), std::ios::binary) << bytes;
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    ShellOutput in(const std::string& commands) {
        return shell("cd '" + scratch_.file("") + "'; { " + commands + "; } 2>&1");
    }
    static std::string take(const std::string& name) {
        return program() + " ram --source memory.raw --threads 1 -o " + name;
    }
    /// Begins `name` and sends `signal` when some of it is certain.
    static std::string interrupt(const std::string& name, const std::string& signal) {
        return fmt::format(
            "{{ {} --rate {} & pid=$!; until [ $(stat -c %s {}.part 2>/dev/null || echo 0) -gt {} "
            "] "
            "&& {}; do sleep 0.05; done; kill -{} $pid; wait $pid; }} &",
            take(name), signal == "KILL" ? 1 : 4, name, size_ / 4,
            signal == "KILL" ? fmt::format("! grep -q '\"position\": 0,' {}.part.json", name)
                             : "true",
            signal);
    }
    /// The image is the memory of before up to some page, and that of now from there on. Where.
    std::uint64_t turningPoint(const std::string& name) {
        const auto image = openDump(file(name));
        if (!image) {
            ADD_FAILURE() << image.error().describe();
            return 0;
        }
        EXPECT_FALSE(image->issues.lossy()) << name;
        const std::string before = readText(file("before")), now = readText(file("now"));
        std::string is(size_, '\0');
        EXPECT_EQ(image->machine->physical->read(0, std::as_writable_bytes(std::span(is))).bytes,
                  size_);
        const auto same = [&](const std::string& other, std::size_t from, std::size_t to) {
            return is.compare(from, to - from, other, from, to - from) == 0;
        };
        std::size_t at = 0;
        while (at < size_ && same(before, at, at + 4096))
            at += 4096;
        // The page in which a format of plain bytes was interrupted has some of both.
        const std::size_t behind = at < size_ && same(now, at, at + 4096) ? at : at + 4096;
        EXPECT_TRUE(behind >= size_ || same(now, behind, size_)) << name << " at " << behind;
        return at;
    }
    void goOn(const std::string& name) {
        const auto taken = in(take(name) + " --resume");
        ASSERT_EQ(taken.status, 0) << name << taken.text;
        const std::uint64_t turn = turningPoint(name);
        EXPECT_GT(turn, 0U) << name << " began anew";
        EXPECT_LT(turn, size_) << name;
        const auto checked = in(program() + " verify " + name);
        EXPECT_EQ(checked.status, 0) << name << checked.text;
        const json manifest = json::parse(readText(file(name + ".json")), nullptr, false);
        EXPECT_EQ(manifest["interruptions"], 1) << name;
        EXPECT_EQ(manifest["hashes"]["sha256"],
                  shell("sha256sum < " + file(name)).text.substr(0, 64));
        EXPECT_FALSE(std::filesystem::exists(file(name + ".part.json")));
    }

    static constexpr std::size_t size_ = std::size_t{8} << 20;
    const std::vector<std::string> names_ = {"a.raw", "a.lime",  "a.avml",
                                             "a.elf", "a.kdump", "a.aff4"};
    Scratch scratch_;
};

TEST_F(RamResume, EveryFormatGoesOnWithAnotherMemory) {
    std::string all;
    for (const std::string& name : names_)
        all += interrupt(name, "TERM");
    (void)in(all + " wait");
    live("now", 2);
    for (const std::string& name : names_)
        goOn(name);
}

TEST_F(RamResume, KilledItGoesOnFromWhatWasCertain) {
    std::string all;
    for (const std::string& name : names_)
        all += interrupt(name, "KILL");
    (void)in(all + " wait");
    live("now", 3);
    for (const std::string& name : names_)
        goOn(name);
}

TEST_F(RamResume, OfADamagedArchiveWhatLiesBeforeCounts) {
    (void)in(interrupt("a.aff4", "TERM") + " wait");
    const auto size = std::filesystem::file_size(file("a.aff4.part"));
    std::fstream part(file("a.aff4.part"), std::ios::in | std::ios::out | std::ios::binary);
    part.seekg(static_cast<std::streamoff>(size / 2));
    const char was = static_cast<char>(part.get());
    part.seekp(static_cast<std::streamoff>(size / 2));
    part.put(static_cast<char>(was ^ 1));
    part.close();
    live("now", 4);
    goOn("a.aff4");
}

TEST_F(RamResume, AnUnfinishedArchiveIsAnImage) {
    (void)in(interrupt("a.aff4", "TERM") + " wait");
    std::filesystem::rename(file("a.aff4.part"), file("part.aff4"));
    const auto told = in(program() + " info part.aff4");
    EXPECT_NE(told.text.find("broken off"), std::string::npos) << told.text;
    const auto image = openDump(file("part.aff4"));
    ASSERT_TRUE(image);
    const auto before = readText(file("before"));
    EXPECT_EQ(image->machine->physical->readInteger<std::uint32_t>(0),
              loadInteger<std::uint32_t>(std::as_bytes(std::span(before)).data()));
}

}  // namespace
}  // namespace icecore::tests
