// The static program inside real kernels: it takes their memory through /proc/kcore and writes it
// to a disk, and nearly every page is what QEMU has when the guest stands still afterwards.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/image/translation.h"
#include "support/guest.h"
#include "support/image_compare.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

constexpr const char* older = "linux-image-cloud-amd64";       // 6.1
constexpr const char* newer = "linux-image-6.12-cloud-amd64";  // of the security updates

std::string staticProgram() {
    return sourceFile("build/static/icecore");
}

/// `make test` builds it; whoever runs this by hand may have to.
bool haveStaticProgram() {
    return std::filesystem::exists(staticProgram());
}

TEST(RamStatic, IsSmallAndNeedsNothing) {
    if (!haveStaticProgram()) GTEST_SKIP() << "`make static` has not been run";
    EXPECT_LT(std::filesystem::file_size(staticProgram()), 12'000'000U);
    EXPECT_EQ(shell("readelf -dl " + staticProgram() + " | grep -E 'NEEDED|INTERP'").text, "");
    EXPECT_EQ(shell("env -i " + staticProgram() + " --version").status, 0);
}

class RamInside : public testing::Test {
protected:
    /// Boots a guest that takes its own memory in `format`, with QEMU's arguments besides.
    void take(const char* kernel, const std::string& format, const std::string& options,
              const std::vector<std::string>& arguments) {
        if (!haveStaticProgram()) GTEST_SKIP() << "`make static` has not been run";
        const std::string script = scratch_.file("autorun");
        std::ofstream(script) << "icecore ram --plan --source mem\n"
                                 "icecore ram --plan\n"
                                 "ln -s icecore /bin/winpmem; winpmem --output /tmp/memdump.raw "
                                 "--format raw --volume_format raw; echo winpmem $?\n"
                                 "icecore ram -o /dev/vda --overwrite --manifest /tmp/m --format "
                              << format << " " << options
                              << "\necho status $?\necho MANIFEST; cat /tmp/m; echo END\n";
        const GuestFiles files =
            guestFiles({staticProgram(), script}, scratch_.file("guest"), kernel);
        if (!files.problem.empty()) GTEST_SKIP() << files.problem;
        std::ofstream(scratch_.file("disk")) << "";
        std::filesystem::resize_file(scratch_.file("disk"), std::uintmax_t{1} << 30);
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
        // The disk has room for more than the image, which formats that end in a directory mind.
        const json said = manifest();
        ASSERT_TRUE(said.is_object()) << guest_->console();
        std::filesystem::resize_file(scratch_.file("disk"), said["bytes"].get<std::uint64_t>());
        // The root file system is memory: the image would overwrite what it is to hold.
        EXPECT_NE(guest_->console().find("the very memory that is taken"), std::string::npos)
            << guest_->console();
        EXPECT_NE(guest_->console().find("winpmem 1"), std::string::npos) << guest_->console();
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
    take(older, "lime", "", {"-m", "512", "-smp", "2"});
    if (IsSkipped() || HasFatalFailure()) return;
    compare();
    const json said = manifest();
    EXPECT_EQ(said["source"], "kcore");
    EXPECT_EQ(said["unread"], json::array());
    EXPECT_EQ(said["direct_io"], true);
    EXPECT_NE(said["vmcoreinfo"].get<std::string>().find("OSRELEASE=6.1."), std::string::npos);
    EXPECT_GT(said["memory_bytes"].get<std::uint64_t>(), std::uint64_t{500} << 20);
    // The hash of what was written, as the host finds it on the disk.
    const auto theirs = shell("sha256sum < " + scratch_.file("disk"));
    EXPECT_EQ(theirs.text.substr(0, 64), said["hashes"]["sha256"].get<std::string>());
    // /dev/mem is closed behind its first megabyte, and the plan says so.
    EXPECT_NE(guest_->console().find("mem: "), std::string::npos);
}

TEST_F(RamInside, ANewerKernelWithMemoryAboveFourGigabytesAndFiveLevelsOfPages) {
    take(
        newer, "aff4", "--no-hash",
        {"-m", "1024", "-smp", "2", "-machine", "pc,max-ram-below-4g=256M", "-cpu", "max,la57=on"});
    if (IsSkipped() || HasFatalFailure()) return;
    const auto taken = openDump(scratch_.file("disk"));
    ASSERT_TRUE(taken);
    const auto ranges = image::storedRanges(*taken->machine->physical);
    ASSERT_FALSE(ranges.empty());
    EXPECT_EQ(ranges.back().end(), (std::uint64_t{4} << 30) + (std::uint64_t{768} << 20));
    compare();
    const std::string info = manifest()["vmcoreinfo"].get<std::string>();
    EXPECT_NE(info.find("OSRELEASE=6.12."), std::string::npos) << info;
    EXPECT_NE(info.find("NUMBER(pgtable_l5_enabled)=1"), std::string::npos) << info;
    // Found without any CPU's registers, which nobody inside can have.
    const auto tables = image::translationOf(*taken->machine);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->levels, 5U);
    std::array<std::byte, 4096> root{};
    EXPECT_EQ(taken->machine->physical->read(tables->root, root).bytes, root.size());
    // Its last entry is of the kernel's own half: there, and a table.
    EXPECT_EQ(std::to_integer<int>(root[4096 - 8]) & 1, 1);
}

}  // namespace
}  // namespace icecore::tests
