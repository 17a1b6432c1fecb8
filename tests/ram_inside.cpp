// The static program inside real kernels: it takes their memory through /proc/kcore and writes it
// to a disk, and nearly every page is what QEMU has when the guest stands still afterwards.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/guest.h"
#include "support/image_compare.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

std::string staticProgram() {
    return sourceFile("build/static/icecore");
}

class RamInside : public testing::Test {
protected:
    /// Boots a guest that takes its own memory in `format`, with QEMU's arguments besides.
    void take(const std::string& format, const std::string& options,
              const std::vector<std::string>& arguments) {
        if (!std::filesystem::exists(staticProgram()))
            GTEST_SKIP() << "`make static` has not been run";
        const std::string script = scratch_.file("autorun");
        std::ofstream(script) << "icecore ram --plan --source mem\n"
                                 "icecore ram --plan\n"
                                 "icecore ram -o /dev/vda --overwrite --manifest /tmp/m --format "
                              << format << " " << options
                              << "\necho status $?\necho MANIFEST; cat /tmp/m; echo END\n";
        const GuestFiles files = guestFiles({staticProgram(), script}, scratch_.file("guest"));
        if (!files.problem.empty()) GTEST_SKIP() << files.problem;
        std::ofstream(scratch_.file("disk")) << "";
        std::filesystem::resize_file(scratch_.file("disk"), std::uintmax_t{6} << 30);
        std::vector<std::string> all = arguments;
        all.insert(all.end(), {"-drive", "file=" + scratch_.file("disk") +
                                             ",format=raw,if=virtio,cache=unsafe"});
        guest_ = std::make_unique<Guest>(files, all, "guest.disk");
        ASSERT_TRUE(guest_->ready()) << guest_->console();
        ASSERT_NE(guest_->console().find("status 0"), std::string::npos) << guest_->console();
        ASSERT_TRUE(guest_->command(R"({"execute":"stop"})").starts_with("{\"return\""));
        ASSERT_TRUE(guest_
                        ->command(R"({"execute":"dump-guest-memory","arguments":{"paging":false,)"
                                  R"("protocol":"file:)" +
                                  scratch_.file("q.elf") + "\"}}")
                        .starts_with("{\"return\""));
    }
    json manifest() {
        const std::string console = guest_->console();
        const std::size_t begin = console.find("MANIFEST");
        const std::size_t end = console.find("END", begin);
        if (end == std::string::npos) return {};
        return json::parse(console.substr(begin + 8, end - begin - 8), nullptr, false);
    }
    /// At least 99 % of the pages, and every one of them there.
    void compare() {
        const ImageComparison same = compareImages(scratch_.file("disk"), scratch_.file("q.elf"));
        ASSERT_EQ(same.problem, "");
        RecordProperty("pages", std::to_string(same.pages));
        RecordProperty("same", std::to_string(same.same));
        EXPECT_GE(static_cast<double>(same.same), 0.99 * static_cast<double>(same.pages))
            << same.same << " of " << same.pages;
    }

    Scratch scratch_;
    std::unique_ptr<Guest> guest_;
};

TEST_F(RamInside, NinetyNinePercentOfThePagesAreTheSame) {
    take("lime", "", {"-m", "1024", "-smp", "2"});
    if (IsSkipped() || HasFatalFailure()) return;
    compare();
    const json said = manifest();
    ASSERT_TRUE(said.is_object()) << guest_->console();
    EXPECT_EQ(said["source"], "kcore");
    EXPECT_EQ(said["unread"], json::array());
    EXPECT_EQ(said["direct_io"], true);
    EXPECT_NE(said["vmcoreinfo"].get<std::string>().find("OSRELEASE="), std::string::npos);
    EXPECT_GT(said["memory_bytes"].get<std::uint64_t>(), std::uint64_t{700} << 20);
    // The hash of what was written, as the host finds it on the disk.
    const auto theirs = shell("head -c " + std::to_string(said["bytes"].get<std::uint64_t>()) +
                              " " + scratch_.file("disk") + " | sha256sum");
    EXPECT_EQ(theirs.text.substr(0, 64), said["hashes"]["sha256"]);
    // /dev/mem is closed behind its first megabyte, and the plan says so.
    EXPECT_NE(guest_->console().find("mem: "), std::string::npos);
}

TEST_F(RamInside, MemoryAboveFourGigabytesAndFiveLevelsOfPages) {
    take("avml", "--no-hash", {"-m", "4608", "-smp", "2", "-cpu", "max,la57=on"});
    if (IsSkipped() || HasFatalFailure()) return;
    const auto taken = openDump(scratch_.file("disk"));
    ASSERT_TRUE(taken);
    const auto ranges = image::storedRanges(*taken->machine->physical);
    ASSERT_FALSE(ranges.empty());
    EXPECT_GT(ranges.back().end(), std::uint64_t{4} << 30);
    compare();
    // Five levels: CR4.LA57 of the first CPU, as QEMU's own dump has it.
    EXPECT_NE(manifest()["vmcoreinfo"].get<std::string>().find("NUMBER(pgtable_l5_enabled)=1"),
              std::string::npos);
}

}  // namespace
}  // namespace icecore::tests
