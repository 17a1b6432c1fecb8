// Cores that are cut, lie or are nonsense: a clear error, or what can be had with its issues.
#include <gtest/gtest.h>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_reader.h"
#include "formats/elfcore/core_samples.h"
#include "formats/elfcore/core_text.h"
#include "formats/elfcore/core_writer.h"

namespace icecore::elfcore::testing {
namespace {

/// Small notes: every one of their offsets is tried.
std::vector<std::byte> golden() {
    Snapshot snapshot = sampleSnapshot();
    for (Thread& thread : snapshot.process->threads) {
        thread.context->extended = {};
        thread.context->floatingPoint = filled(16, 1);
    }
    snapshot.attachments.clear();
    MemorySink sink;
    SilentProgress progress;
    const auto report = writeElfCore(snapshot, samplePlan(snapshot), sink, progress);
    EXPECT_TRUE(report);
    return std::move(sink.bytes());
}

/// Reads the core and touches all it promises; false when it does not open.
bool use(std::vector<std::byte> bytes, Issues* issues = nullptr) {
    const auto snapshot = readElfCore(memorySource(std::move(bytes), "damaged"));
    if (!snapshot) {
        EXPECT_FALSE(snapshot.error().message.empty());
        return false;
    }
    std::vector<std::byte> page(pageBytes);
    std::size_t touched = 0;
    for (const Extent& extent : snapshot->process->memory->extents(Range::all())) {
        if (++touched > 100) break;
        const ReadOutcome got = snapshot->process->memory->read(extent.range.begin(), page);
        if (got.bytes < std::min<std::uint64_t>(page.size(), extent.range.size())) {
            EXPECT_NE(got.stopped, Absence::none);
        }
    }
    if (issues != nullptr) *issues = snapshot->issues;
    return true;
}

std::uint64_t endOfNotes(const std::vector<std::byte>& core) {
    const auto offset = loadInteger<std::uint64_t>(core.data() + 64 + 8);
    const auto size = loadInteger<std::uint64_t>(core.data() + 64 + 32);
    return offset + size;
}

TEST(CoreDamage, CutAtEveryOffset) {
    const std::vector<std::byte> whole = golden();
    const std::uint64_t notes = endOfNotes(whole);
    for (std::uint64_t size = 0; size < whole.size(); size += size < notes ? 1 : 512) {
        Issues issues;
        const bool opened =
            use({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, &issues);
        EXPECT_EQ(opened, size >= sizeof(elf::Header64)) << size;
        if (opened) {
            EXPECT_TRUE(issues.lossy()) << "cut at " << size << " without a word";
        }
    }
}

TEST(CoreDamage, EveryFieldOfTheTables) {
    const std::vector<std::byte> whole = golden();
    const std::uint64_t tables = loadInteger<std::uint64_t>(whole.data() + 64 + 8);
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{UINT32_MAX},
                                      std::uint64_t{1} << 32, UINT64_MAX - 0xfff, UINT64_MAX}) {
        for (std::uint64_t at = 4; at + 8 <= tables; at += 4) {
            std::vector<std::byte> broken = whole;
            storeInteger(broken.data() + at, value);
            (void)use(std::move(broken));
        }
    }
}

TEST(CoreDamage, EveryWordOfTheNotes) {
    const std::vector<std::byte> whole = golden();
    const std::uint64_t begin = loadInteger<std::uint64_t>(whole.data() + 64 + 8);
    for (std::uint64_t at = begin; at + 4 <= endOfNotes(whole); at += 4) {
        std::vector<std::byte> broken = whole;
        storeInteger(broken.data() + at, std::uint32_t{0xfffffffe});
        (void)use(std::move(broken));
    }
}

TEST(CoreDamage, CountsOfLists) {
    // NT_FILE and the list of unread ranges with counts that their notes cannot hold.
    for (const std::uint64_t count :
         {std::uint64_t{1000}, std::uint64_t{1} << 32, UINT64_MAX / 24, UINT64_MAX}) {
        std::vector<std::byte> content;
        appendInteger(content, count);
        appendInteger(content, std::uint64_t{4096});
        content.resize(64);
        std::vector<std::byte> core = golden();
        // The first note becomes an NT_FILE with this content.
        const auto notes = loadInteger<std::uint64_t>(core.data() + 64 + 8);
        storeInteger(core.data() + notes + 8, elf::noteFile);
        std::ranges::copy(content, core.begin() + static_cast<std::ptrdiff_t>(notes + 20));
        Issues issues;
        EXPECT_TRUE(use(core, &issues));
        bool told = false;
        for (const Issue& issue : issues.items())
            told |= issue.message.find("longer than its note") != std::string::npos;
        EXPECT_TRUE(told) << hex(count);
    }
}

TEST(CoreText, ComesBackByteForByte) {
    const std::vector<std::byte> whole = golden();
    const auto text = describeCore(memorySource(whole, "golden"));
    ASSERT_TRUE(text) << text.error().describe();
    for (const std::string_view part : {"ELF64_HEADER", "PRSTATUS_X64", "PRPSINFO_64",
                                        "FILE_LIST_64", "SIGINFO_64", "UNREAD_LIST"})
        EXPECT_NE(text->find(part), std::string::npos) << part;
    const auto built = buildCore(*text);
    ASSERT_TRUE(built) << built.error().describe();
    EXPECT_EQ(*built, whole);
}

TEST(CoreText, SoDoesADamagedOne) {
    std::vector<std::byte> whole = golden();
    whole.resize(endOfNotes(whole) - 77);
    storeInteger(whole.data() + 64 + 56 + 8, UINT64_MAX - 5);  // a segment's offset
    const auto text = describeCore(memorySource(whole, "cut"));
    ASSERT_TRUE(text) << text.error().describe();
    const auto built = buildCore(*text);
    ASSERT_TRUE(built) << built.error().describe();
    EXPECT_EQ(*built, whole);
}

}  // namespace
}  // namespace icecore::elfcore::testing
