// A real kernel's memory, taken from outside by QEMU as ELF, kdump and raw while the guest stands
// still: every page the same in each, after conversions there and back, and makedumpfile and crash
// read what we write.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "formats/format.h"
#include "formats/image/image.h"
#include "support/guest.h"

namespace icecore::tests {
namespace {

/// Compares everything that `a` has below `end` with the same addresses of `b`.
testing::AssertionResult sameMemory(const std::string& a, const std::string& b,
                                    std::uint64_t end = UINT64_MAX) {
    const auto first = openDump(a);
    const auto second = openDump(b);
    if (!first || !second || !first->machine || !second->machine)
        return testing::AssertionFailure() << "not opened: " << a << " or " << b;
    std::vector<std::byte> one(1 << 20);
    std::vector<std::byte> two(1 << 20);
    std::uint64_t bytes = 0;
    for (const Range& whole : image::storedRanges(*first->machine->physical)) {
        const Range range = whole.intersect(Range::between(0, end));
        for (std::uint64_t at = range.begin(); at < range.end();) {
            const auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(one.size(), range.end() - at));
            const auto here = std::span(one).first(count);
            const auto there = std::span(two).first(count);
            const auto got = first->machine->physical->read(at, here).bytes;
            const auto other = second->machine->physical->read(at, there).bytes;
            if (got != count || other != count)
                return testing::AssertionFailure()
                       << "missing from " << hex(at + std::min(got, other));
            if (!std::ranges::equal(here, there))
                return testing::AssertionFailure() << "differs in the MiB at " << hex(at);
            at += count;
            bytes += count;
        }
    }
    if (bytes == 0) return testing::AssertionFailure() << a << " has no memory";
    return testing::AssertionSuccess() << bytes;
}

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
    EXPECT_EQ(original->machine->hints.contains("OSRELEASE"), true);
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
    const auto joined = shell("makedumpfile -R " + file("theirs") + " < " + file("flat") + " 2>&1");
    ASSERT_EQ(joined.status, 0) << joined.text;
    EXPECT_TRUE(sameMemory(file("theirs"), file("q.elf")));
}

}  // namespace
}  // namespace icecore::tests
