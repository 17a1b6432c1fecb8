// A real kernel's memory, taken from outside by QEMU as ELF, kdump and raw while the guest stands
// still: every page the same in each, after conversions there and back, and makedumpfile and crash
// read what we write.
#include <gtest/gtest.h>

#include "formats/format.h"
#include "support/guest.h"
#include "support/image_compare.h"

namespace icecore::tests {
namespace {

class RamGuest : public testing::Test {
protected:
    void SetUp() override {
        const GuestFiles files = guestFiles();
        if (!files.problem.empty()) GTEST_SKIP() << files.problem;
        guest_ = std::make_unique<Guest>(files, std::vector<std::string>{"-m", "96", "-smp", "2"});
        ASSERT_TRUE(guest_->ready());
        ASSERT_TRUE(done(R"({"execute":"stop"})"));
        ASSERT_TRUE(done(dump("elf", "")));
        ASSERT_TRUE(done(dump("kdump", R"(,"format":"kdump-zlib")")));
        ASSERT_TRUE(done(R"({"execute":"pmemsave","arguments":{"val":0,"size":)" +
                         std::to_string(96 << 20) + R"(,"filename":")" + file("q.raw") + "\"}}"));
        guest_.reset();
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    std::string dump(const std::string& name, const std::string& format) {
        return R"({"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:)" +
               file("q." + name) + "\"" + format + "}}";
    }
    bool done(const std::string& command) {
        return guest_->command(command).starts_with("{\"return\"");
    }
    int convert(const std::string& in, const std::string& out, const std::string& options = "") {
        return shell(program() + " convert " + file(in) + " " + file(out) + " " + options +
                     " >/dev/null 2>&1")
            .status;
    }

    Scratch scratch_;
    std::unique_ptr<Guest> guest_;
};

/// Losses are fine where a format has no place for something; anything else is not.
bool worked(int status) {
    return status == 0 || status == 3;
}

TEST_F(RamGuest, EveryFormatHasTheSamePages) {
    // What QEMU wrote, three ways. Its raw file ends with RAM; the others have ROM above it.
    EXPECT_TRUE(sameMemory(file("q.kdump"), file("q.elf")));
    EXPECT_TRUE(sameMemory(file("q.elf"), file("q.raw"), std::uint64_t{96} << 20));
    // There, and back into what it was.
    for (const char* const words : {"a.lime", "a.avml", "a.kdump", "b.kdump --compress lzo",
                                    "c.kdump --compress zstd", "d.kdump --compress snappy"}) {
        const std::string way = words;
        const std::string name = way.substr(0, way.find(' '));
        const std::string options = way.substr(name.size());
        ASSERT_TRUE(worked(convert("q.elf", name, options))) << way;
        EXPECT_TRUE(sameMemory(file("q.elf"), file(name))) << way;
        ASSERT_TRUE(worked(convert(name, "back.elf", "--overwrite"))) << way;
        EXPECT_TRUE(sameMemory(file("q.elf"), file("back.elf"))) << way;
    }
    // Through pipes: a flattened kdump.
    ASSERT_TRUE(worked(shell(program() + " convert " + file("q.elf") +
                             " - --format kdump 2>/dev/null | cat > " + file("flat.kdump"))
                           .status));
    EXPECT_TRUE(sameMemory(file("q.elf"), file("flat.kdump")));
    // What QEMU knew of the CPUs and the kernel is still there.
    ASSERT_TRUE(worked(convert("a.kdump", "last.elf")));
    const auto original = openDump(file("q.elf"));
    const auto last = openDump(file("last.elf"));
    ASSERT_TRUE(original && last);
    EXPECT_EQ(original->machine->cpus.size(), 2U);
    EXPECT_EQ(last->machine->cpus.size(), 2U);
    EXPECT_TRUE(original->machine->cpus[0].translationRoot);
    EXPECT_EQ(last->machine->cpus[0].translationRoot, original->machine->cpus[0].translationRoot);
    EXPECT_EQ(last->machine->hints, original->machine->hints);
    ASSERT_EQ(original->machine->hints.contains("OSRELEASE"), true);
    // A raw image says nothing of it; its memory does.
    const auto said = shell(program() + " info " + file("q.raw") + " 2>&1");
    const std::string release = original->machine->hints.at("OSRELEASE");
    EXPECT_NE(said.text.find("Linux " + release + " (a guess"), std::string::npos) << said.text;
    EXPECT_NE(said.text.find("Linux version " + release + " ("), std::string::npos) << said.text;
    EXPECT_NE(said.text.find(" #1 SMP"), std::string::npos) << said.text;
    EXPECT_NE(said.text.find("(by VMCOREINFO), "), std::string::npos) << said.text;
}

/// What icecore itself gets out of QEMU, without a file of QEMU's.
class RamOfGuest : public testing::Test {
protected:
    void SetUp() override {
        const GuestFiles files = guestFiles();
        if (!files.problem.empty()) GTEST_SKIP() << files.problem;
        guest_ = std::make_unique<Guest>(files, std::vector<std::string>{"-m", "128", "-smp", "2"});
        ASSERT_TRUE(guest_->ready());
    }
    ShellOutput ram(const std::string& arguments) {
        guest_->disconnect();
        auto output = shell("cd " + scratch_.file("") + " && " + program() +
                            " ram --source qmp:" + guest_->control() + " " + arguments + " 2>&1");
        EXPECT_TRUE(guest_->reconnect());
        return output;
    }
    bool running() {
        return guest_->command(R"({"execute":"query-status"})").find("\"running\": true") !=
               std::string::npos;
    }
    Scratch scratch_;
    std::unique_ptr<Guest> guest_;
};

TEST_F(RamOfGuest, PausedEveryPageIsWhatQemuSaves) {
    // Pauses and lets it run again, or leaves it as it is when it stood still.
    const auto first = ram("-o first.lime");
    ASSERT_EQ(first.status, 0) << first.text;
    EXPECT_TRUE(running());
    const auto live = ram("--live -o live.lime");
    ASSERT_EQ(live.status, 0) << live.text;
    EXPECT_TRUE(running());
    ASSERT_TRUE(guest_->command(R"({"execute":"stop"})").starts_with("{\"return\""));
    for (const std::string name : {"a.elf", "a.kdump", "a.avml"}) {
        const auto taken = ram("-o " + name);
        ASSERT_EQ(taken.status, 0) << taken.text;
    }
    EXPECT_FALSE(running());
    ASSERT_TRUE(guest_
                    ->command(R"({"execute":"dump-guest-memory","arguments":{"paging":false,)"
                              R"("protocol":"file:)" +
                              scratch_.file("q.elf") + "\"}}")
                    .starts_with("{\"return\""));
    for (const std::string name : {"a.elf", "a.kdump", "a.avml"}) {
        EXPECT_TRUE(sameMemory(scratch_.file("q.elf"), scratch_.file(name))) << name;
        EXPECT_TRUE(sameMemory(scratch_.file(name), scratch_.file("q.elf"))) << name;
    }
    // The CPUs and the kernel's description came along.
    const auto theirs = openDump(scratch_.file("q.elf"));
    const auto ours = openDump(scratch_.file("a.elf"));
    ASSERT_TRUE(theirs && ours);
    EXPECT_EQ(ours->machine->hints, theirs->machine->hints);
    EXPECT_EQ(ours->machine->cpus.size(), 2U);
    EXPECT_NE(readText(scratch_.file("a.elf.json")).find("\"consistency\": \"frozen\""),
              std::string::npos);
}

TEST_F(RamOfGuest, AMonitorThatIsTakenIsToldAndNotWaitedForForever) {
    // One client at a time: this test is it.
    const auto taken = shell(program() + " ram --source qmp:" + guest_->control() + " --plan 2>&1");
    EXPECT_EQ(taken.status, 1);
    EXPECT_NE(taken.text.find("monitor"), std::string::npos) << taken.text;
}

TEST_F(RamGuest, MakedumpfileReadsWhatWeWrite) {
    if (shell("command -v makedumpfile >/dev/null").status != 0) GTEST_SKIP() << "no makedumpfile";
    ASSERT_TRUE(worked(convert("q.elf", "ours.elf")));
    ASSERT_TRUE(worked(shell(program() + " convert " + file("q.elf") +
                             " - --format kdump 2>/dev/null | cat > " + file("flat"))
                           .status));
    const auto made =
        shell("makedumpfile -c -d 0 " + file("ours.elf") + " " + file("theirs") + " 2>&1");
    ASSERT_EQ(made.status, 0) << made.text;
    EXPECT_TRUE(sameMemory(file("theirs"), file("q.elf")));
    std::filesystem::remove(file("theirs"));
    // It finds VMCOREINFO, without which it cannot tell what may be left out.
    const auto filtered =
        shell("makedumpfile -l -d 31 " + file("ours.elf") + " " + file("theirs") + " 2>&1");
    ASSERT_EQ(filtered.status, 0) << filtered.text;
    EXPECT_LT(std::filesystem::file_size(file("theirs")),
              std::filesystem::file_size(file("ours.elf")) / 2);
    std::filesystem::remove(file("theirs"));
    const auto joined = shell("makedumpfile -R " + file("theirs") + " < " + file("flat") + " 2>&1");
    ASSERT_EQ(joined.status, 0) << joined.text;
    EXPECT_TRUE(sameMemory(file("theirs"), file("q.elf")));
}

TEST_F(RamGuest, CrashRecognisesWhatWeWrite) {
    if (shell("command -v crash >/dev/null").status != 0) GTEST_SKIP() << "no crash";
    // Without the kernel's debug information, which is a gigabyte, it tells what VMCOREINFO says.
    ASSERT_TRUE(worked(convert("q.elf", "ours.elf")));
    ASSERT_TRUE(worked(shell(program() + " convert " + file("q.elf") +
                             " - --format kdump 2>/dev/null | cat > " + file("flat"))
                           .status));
    std::vector<std::string> names = {"ours.elf", "flat"};
    for (const std::string codec : {"zlib", "lzo", "snappy", "zstd", "none"}) {
        names.push_back(codec + ".kdump");
        ASSERT_TRUE(worked(convert("q.elf", names.back(), "--compress " + codec)));
    }
    const auto original = openDump(file("q.elf"));
    ASSERT_TRUE(original);
    for (const std::string& name : names) {
        const auto told = shell("crash --osrelease " + file(name) + " 2>&1");
        EXPECT_EQ(told.text, original->machine->hints.at("OSRELEASE") + "\n") << name;
    }
}

/// Memory on both sides of 4 GiB, and pages by five levels of tables.
TEST(RamOfSplitGuest, IsTheSameInEveryFormat) {
    const GuestFiles files = guestFiles({}, {}, "linux-image-cloud-amd64");
    if (!files.problem.empty()) GTEST_SKIP() << files.problem;
    const Scratch scratch;
    Guest guest(files,
                {"-m", "192", "-machine", "pc,max-ram-below-4g=128M", "-cpu", "max,la57=on"});
    ASSERT_TRUE(guest.ready());
    const auto done = [&](const std::string& command) {
        return guest.command(command).starts_with("{\"return\"");
    };
    const auto dump = [&](const std::string& name, const std::string& format) {
        return done(
            R"({"execute":"dump-guest-memory","arguments":{"paging":false,"protocol":"file:)" +
            scratch.file(name) + "\"" + format + "}}");
    };
    constexpr std::uint64_t high = std::uint64_t{4} << 30, highSize = std::uint64_t{64} << 20;
    ASSERT_TRUE(done(R"({"execute":"stop"})"));
    ASSERT_TRUE(dump("q.elf", ""));
    ASSERT_TRUE(dump("q.kdump", R"(,"format":"kdump-zlib")"));
    ASSERT_TRUE(done(R"({"execute":"pmemsave","arguments":{"val":)" + std::to_string(high) +
                     ",\"size\":" + std::to_string(highSize) + R"(,"filename":")" +
                     scratch.file("high.raw") + "\"}}"));
    guest.disconnect();
    for (const std::string name : {"a.raw", "a.elf", "a.kdump"}) {
        const auto taken = shell(program() + " ram --source qmp:" + guest.control() +
                                 " --no-hash -o " + scratch.file(name) + " 2>&1");
        ASSERT_TRUE(worked(taken.status)) << taken.text;
    }
    // QEMU's own, two ways, and ours, three ways; there and back.
    EXPECT_TRUE(sameMemory(scratch.file("q.kdump"), scratch.file("q.elf")));
    for (const std::string name : {"a.raw", "a.elf", "a.kdump"}) {
        EXPECT_TRUE(sameMemory(scratch.file("q.elf"), scratch.file(name))) << name;
        for (const std::string other : {"lime", "avml", "aff4", "kdump", "elf"}) {
            const std::string way = scratch.file(name) + "." + other;
            ASSERT_TRUE(worked(
                shell(program() + " convert " + scratch.file(name) + " " + way + " >/dev/null 2>&1")
                    .status))
                << way;
            EXPECT_TRUE(sameMemory(scratch.file("q.elf"), way)) << way;
            std::filesystem::remove(way);
            if (name == "a.raw") break;  // with its hole of 4 GiB: once is enough
        }
    }
    // What lies above is what QEMU saves from there.
    const auto taken = openDump(scratch.file("a.kdump"));
    const auto above = openDump(scratch.file("high.raw"));
    ASSERT_TRUE(taken && above);
    EXPECT_EQ(image::storedRanges(*taken->machine->physical).back().end(), high + highSize);
    std::vector<std::byte> ours(highSize);
    std::vector<std::byte> theirs(highSize);
    EXPECT_EQ(taken->machine->physical->read(high, ours).bytes, highSize);
    EXPECT_EQ(above->machine->physical->read(0, theirs).bytes, highSize);
    EXPECT_EQ(ours, theirs);
    for (const std::string name : {"a.elf", "a.kdump"}) {
        const auto said = shell(program() + " info " + scratch.file(name)).text;
        EXPECT_NE(said.find("5 levels"), std::string::npos) << said;
        EXPECT_NE(said.find("Page tables  root 0x"), std::string::npos) << said;
    }
}

}  // namespace
}  // namespace icecore::tests
