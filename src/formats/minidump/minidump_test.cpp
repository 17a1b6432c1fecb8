// Minidumps: what goes in comes out, what others write is understood, and nothing that is wrong in
// a file does more than cost what it says.
#include "formats/minidump/minidump.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "formats/elfcore/core_samples.h"
#include "formats/minidump/layout.h"
#include "support/paths.h"

namespace icecore::minidump {
namespace {

using elfcore::testing::heapAt, elfcore::testing::pageBytes, elfcore::testing::samplePlan,
    elfcore::testing::stackAt;

/// The sample with an XSAVE area as processors have it: its first part is the FXSAVE area, and its
/// header says standard format. A CONTEXT holds no other.
Snapshot sample() {
    Snapshot snapshot = elfcore::testing::sampleSnapshot();
    for (icecore::Thread& thread : snapshot.process->threads) {
        Context& context = *thread.context;
        std::vector<std::byte> area(1024);
        std::ranges::copy(context.floatingPoint.span(), area.begin());
        area[512] = std::byte{7};
        area[600] = std::byte{0x55};
        context.extended = SharedBytes::own(std::move(area));
    }
    snapshot.process->modules[0].bias.reset();  // known from its headers, which the sample lacks
    return snapshot;
}

SavePlan everything(const Snapshot& snapshot) {
    SavePlan plan = samplePlan(snapshot);
    plan.memoryInfo = true;
    return plan;
}

/// Two stacks and nothing else.
SavePlan stacksOnly() {
    SavePlan plan;
    plan.memory = {{Range::ofSize(stackAt + 0x100, 0x180), SaveReason::stack}};
    return plan;
}

std::vector<std::byte> bytesOfDump(const Snapshot& snapshot, const SavePlan& plan,
                                   WriteReport* told = nullptr) {
    MemorySink sink;
    SilentProgress progress;
    auto report = write(snapshot, plan, sink, progress);
    EXPECT_TRUE(report) << report.error().describe();
    if (told != nullptr && report) *told = *report;
    return std::move(sink.bytes());
}

Result<Snapshot> reopen(std::vector<std::byte> bytes) {
    return open(memorySource(std::move(bytes), "dump"));
}

Snapshot reread(std::vector<std::byte> bytes) {
    auto snapshot = reopen(std::move(bytes));
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

std::string describeIssues(const Snapshot& snapshot) {
    std::string text;
    for (const Issue& issue : snapshot.issues.items())
        text += issue.describe() + "\n";
    return text;
}

std::string goldenText() {
    std::ifstream file(tests::sourceFile("tests/data/minidump/breakpad_linux.txt"));
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::byte> goldenBytes() {
    const auto bytes = build(goldenText());
    EXPECT_TRUE(bytes) << bytes.error().describe();
    return bytes ? *bytes : std::vector<std::byte>{};
}

/// Everything a view may ask of a dump, so that damage that was only stored shows.
void touch(const Snapshot& snapshot) {
    const Process& process = *snapshot.process;
    std::byte piece[64];
    for (const icecore::Thread& thread : process.threads) {
        if (thread.context) (void)process.memory->read(thread.context->registers.sp(), piece);
    }
    for (const icecore::Module& module : process.modules)
        (void)process.memory->read(module.range.begin(), piece);
    std::size_t asked = 0;
    for (const Extent& extent : process.memory->extents(Range::all())) {
        (void)process.memory->read(extent.range.begin(), piece);
        (void)process.memory->window(extent.range.begin());
        if (++asked == 1000) break;
    }
    EXPECT_LT(process.threads.size() + process.modules.size() + process.regions.size(), 100'000U);
}

TEST(Minidump, KeepsTheProcess) {
    const Snapshot before = sample();
    const Snapshot after = reread(bytesOfDump(before, everything(before)));
    EXPECT_EQ(describeIssues(after), "");
    const Process& a = *before.process;
    const Process& b = *after.process;
    EXPECT_EQ(b.system, a.system);
    EXPECT_EQ(b.pid, a.pid);
    EXPECT_EQ(b.parentPid, a.parentPid);
    EXPECT_EQ(b.name, a.name);
    EXPECT_EQ(b.executable, a.executable);
    EXPECT_EQ(b.commandLine, a.commandLine);
    EXPECT_EQ(b.environment, a.environment);
    EXPECT_EQ(b.uid, a.uid);
    EXPECT_EQ(b.gid, a.gid);
    EXPECT_EQ(b.processGroup, a.processGroup);
    EXPECT_EQ(b.session, a.session);
    EXPECT_EQ(b.started, a.started);
    EXPECT_EQ(b.auxv, a.auxv);
    EXPECT_EQ(b.threads, a.threads);
    EXPECT_EQ(b.modules, a.modules);
    EXPECT_EQ(b.regions, a.regions);
    EXPECT_EQ(b.handles, a.handles);
    EXPECT_EQ(b.exception, a.exception);
    EXPECT_EQ(after.provenance.time, before.provenance.time);
    EXPECT_EQ(after.provenance.consistency, before.provenance.consistency);
    for (const Attachment& item : before.attachments) {
        ASSERT_NE(after.attachment(item.name), nullptr) << item.name;
        EXPECT_EQ(*after.attachment(item.name), item.content) << item.name;
    }
}

TEST(Minidump, KeepsBytesZerosAndHoles) {
    const Snapshot before = sample();
    for (const bool all : {true, false}) {  // Memory64List, MemoryList
        SavePlan plan = everything(before);
        if (!all) plan.type.flags = 0;
        const Snapshot after = reread(bytesOfDump(before, plan));
        for (const Region& region : before.process->regions) {
            for (std::uint64_t at = region.range.begin(); at < region.range.end();
                 at += pageBytes) {
                std::vector<std::byte> a(pageBytes), b(pageBytes);
                const ReadOutcome x = before.process->memory->read(at, a);
                const ReadOutcome y = after.process->memory->read(at, b);
                EXPECT_EQ(x.bytes, y.bytes) << hex(at);
                EXPECT_EQ(x.stopped, y.stopped) << hex(at);
                EXPECT_EQ(a, b) << hex(at);
                if (region.dontDump) break;  // one page tells of all
            }
        }
    }
}

TEST(Minidump, StandardStreamsSayTheSameAsOurs) {
    // Other readers see only those: with ours renamed to something unknown, the process is there.
    const Snapshot before = sample();
    std::vector<std::byte> bytes = bytesOfDump(before, everything(before));
    const auto count = loadInteger<std::uint32_t>(bytes.data() + 8);
    const auto directory = loadInteger<std::uint32_t>(bytes.data() + 12);
    for (std::uint32_t i = 0; i < count; ++i) {
        std::byte* type = bytes.data() + directory + i * sizeof(Directory);
        const auto value = loadInteger<std::uint32_t>(type);
        if (value >> 16 == 0x4943) storeInteger(type, value ^ 0x10000000U);
    }
    const Snapshot after = reread(std::move(bytes));
    const Process& a = *before.process;
    const Process& b = *after.process;
    EXPECT_EQ(b.modules, a.modules);
    EXPECT_EQ(b.handles, a.handles);
    EXPECT_EQ(b.pid, a.pid);
    EXPECT_EQ(b.auxv, a.auxv);
    EXPECT_EQ(b.commandLine, a.commandLine);
    EXPECT_EQ(b.environment, a.environment);
    EXPECT_EQ(b.system.version, a.system.version);
    ASSERT_EQ(b.threads.size(), a.threads.size());
    for (std::size_t i = 0; i < a.threads.size(); ++i) {
        EXPECT_EQ(b.threads[i].id, a.threads[i].id);
        EXPECT_EQ(b.threads[i].name, a.threads[i].name);
        // FILETIME counts in units of 100 ns.
        EXPECT_LT(*a.threads[i].created - *b.threads[i].created, std::chrono::nanoseconds(100));
        EXPECT_EQ(b.threads[i].context->registers.pc(), a.threads[i].context->registers.pc());
        EXPECT_EQ(b.threads[i].context->floatingPoint, a.threads[i].context->floatingPoint);
        EXPECT_EQ(b.threads[i].context->extended, a.threads[i].context->extended);
    }
    ASSERT_TRUE(b.exception);
    EXPECT_EQ(b.exception->code, 11U);
    EXPECT_EQ(b.exception->signalCode, 1);
    EXPECT_EQ(b.exception->faultAddress, a.exception->faultAddress);
    EXPECT_EQ(b.exception->threadId, a.exception->threadId);
    ASSERT_EQ(b.regions.size(), a.regions.size());
    for (std::size_t i = 0; i < a.regions.size(); ++i) {
        EXPECT_EQ(b.regions[i].range, a.regions[i].range);
        EXPECT_EQ(b.regions[i].name, a.regions[i].name);
        EXPECT_EQ(b.regions[i].protection, a.regions[i].protection);
        EXPECT_EQ(b.regions[i].kind, a.regions[i].kind) << a.regions[i].name;
    }
}

/// Memory in which one page fails although its extents promise it: it vanished in between.
class Vanishing final : public AddressSpace {
public:
    explicit Vanishing(std::shared_ptr<const AddressSpace> inner) : inner_(std::move(inner)) {}
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        if (gone_.contains(address)) return {0, Absence::unreadable};
        if (address < gone_.begin() && address + out.size() > gone_.begin())
            return inner_->read(address,
                                out.first(static_cast<std::size_t>(gone_.begin() - address)));
        return inner_->read(address, out);
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return inner_->extents(within);
    }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return {}; }

private:
    std::shared_ptr<const AddressSpace> inner_;
    Range gone_ = Range::ofSize(heapAt, pageBytes);
};

TEST(Minidump, WhatVanishedWhileItWasCopiedIsAHoleNotZeros) {
    Snapshot before = sample();
    before.process->memory = std::make_shared<Vanishing>(before.process->memory);
    WriteReport report;
    const Snapshot after = reread(bytesOfDump(before, everything(before), &report));
    const std::vector<Range> lost = {Range::ofSize(heapAt, pageBytes)};
    EXPECT_EQ(report.unread, lost);
    EXPECT_EQ(after.unread, lost);
    std::byte byte[1];
    EXPECT_EQ(after.process->memory->read(heapAt, byte).stopped, Absence::unreadable);
    EXPECT_EQ(after.process->memory->read(heapAt + pageBytes, byte).bytes, 1U);
}

TEST(Minidump, LongZeroRunsAreNamedNotStored) {
    Snapshot before = sample();
    const Range terabyte = Range::ofSize(0x100000000000, std::uint64_t{1} << 40);
    SegmentSpaceBuilder builder(memorySource({}, "none"));
    builder.addZero(terabyte);
    before.process->memory = overlay(before.process->memory, builder.build());
    before.process->regions.items.insert(
        before.process->regions.items.begin() + 2,
        elfcore::testing::region(terabyte.begin(), terabyte.size(), RegionKind::anonymous));
    const auto bytes = bytesOfDump(before, everything(before));
    EXPECT_LT(bytes.size(), 1U << 20);
    const Snapshot after = reread(bytes);
    EXPECT_EQ(after.process->memory->readInteger<std::uint64_t>(terabyte.begin() + 12345), 0U);
    const auto extents = after.process->memory->extents(terabyte);
    ASSERT_EQ(extents.size(), 1U);
    EXPECT_TRUE(extents[0].zero);
    EXPECT_EQ(extents[0].range, terabyte);
}

TEST(Minidump, ReadsWhatBreakpadWrites) {
    const Snapshot dump = reread(goldenBytes());
    EXPECT_EQ(describeIssues(dump), "");
    const Process& process = *dump.process;
    EXPECT_EQ(process.system.os, Os::linux_os);
    EXPECT_EQ(process.system.arch, Arch::x86_64);
    EXPECT_EQ(process.system.version, "5.10.0-1 #1 SMP Debian");
    EXPECT_EQ(process.pid, 100U);
    EXPECT_EQ(process.name, "program");
    EXPECT_EQ(process.uid, 1000U);
    ASSERT_EQ(process.threads.size(), 2U);
    EXPECT_EQ(process.threads[0].stack, Range::between(0x7ffd00001020, 0x7ffd00001040));
    EXPECT_EQ(process.threads[1].context->registers.pc(), 0x401234U);
    EXPECT_EQ(process.memory->readInteger<std::uint32_t>(0x7f0000002004), 0x22222222U)
        << "a stack that stands in no list of memory";
    ASSERT_EQ(process.modules.size(), 1U);
    EXPECT_EQ(process.modules[0].path, "/opt/grüße/program");
    EXPECT_EQ(process.modules[0].id.text(), "0123456789abcdef0123456789abcdef01234567");
    EXPECT_EQ(process.modules[0].version, "2.3");
    ASSERT_TRUE(process.exception);
    EXPECT_EQ(process.exception->faultAddress, 0x18U);
    EXPECT_EQ(process.exception->address, 0x401234U);
    ASSERT_EQ(process.regions.size(), 2U);
    EXPECT_EQ(process.regions[0].kind, RegionKind::image);
    EXPECT_EQ(process.regions[1].kind, RegionKind::stack);
    ASSERT_NE(dump.attachment("stream/0x1234567"), nullptr);
    EXPECT_EQ(hexBytes(dump.attachment("stream/0x1234567")->span()), "deadbeef");
}

TEST(Minidump, DescriptionBuildsTheSameFile) {
    const Snapshot snapshot = sample();
    for (const auto& bytes : {bytesOfDump(snapshot, everything(snapshot)),
                              bytesOfDump(snapshot, stacksOnly()), goldenBytes()}) {
        const auto text = describe(memorySource(bytes, "dump"));
        ASSERT_TRUE(text) << text.error().describe();
        EXPECT_NE(text->find("MINIDUMP_THREAD threads.1"), std::string::npos);
        const auto again = build(*text);
        ASSERT_TRUE(again) << again.error().describe();
        EXPECT_EQ(*again, bytes);
    }
}

TEST(Minidump, CutAtEveryOffset) {
    const auto whole = goldenBytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::vector<std::byte> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto dump = reopen(cut);
        if (dump) {
            touch(*dump);
            EXPECT_TRUE(dump->issues.lossy()) << size;
        } else {
            EXPECT_LT(size, 200U) << dump.error().describe();
        }
        const auto text = describe(memorySource(cut, "dump"));
        if (!text) continue;
        const auto again = build(*text);
        ASSERT_TRUE(again) << again.error().describe();
        EXPECT_EQ(*again, cut) << size;
    }
}

/// One field after the other gets every value that is worth fearing.
void corruptFields(const std::string& text) {
    std::size_t fields = 0;
    for (std::size_t line = 0; line < text.size();) {
        const std::size_t end = std::min(text.find('\n', line), text.size());
        const std::string_view whole = std::string_view(text).substr(line, end - line);
        const std::size_t colon = whole.find(": ");
        const bool number = whole.starts_with("  ") && colon != std::string_view::npos &&
                            colon + 2 < whole.size() &&
                            (std::isdigit(static_cast<unsigned char>(whole[colon + 2])) != 0);
        // Registers are values, not structure; one of them stands for all.
        const bool isRegister = whole.starts_with("  R") &&
                                whole.find("Rva") == std::string_view::npos &&
                                !whole.starts_with("  Rip") && !whole.starts_with("  Rsp") &&
                                !whole.starts_with("  Reserved") && !whole.starts_with("  Region");
        if (number && !isRegister) {
            ++fields;
            for (const std::string_view value : {"0", "0xff", "0xfffffff0", "0xffffffff",
                                                 "0x7fffffffffffffff", "0xfffffffffffffff0"}) {
                std::string changed = text.substr(0, line) +
                                      std::string(whole.substr(0, colon + 2)) + std::string(value) +
                                      text.substr(end);
                const auto bytes = build(changed);
                if (!bytes) continue;  // the value does not fit the field
                const auto dump = reopen(*bytes);
                if (dump) touch(*dump);
                if (value != "0xffffffff") continue;
                const auto described = describe(memorySource(*bytes, "dump"));
                ASSERT_TRUE(described);
                EXPECT_EQ(build(*described), *bytes) << whole;
            }
        }
        line = end + 1;
    }
    EXPECT_GT(fields, 50U);
}

TEST(Minidump, OneFieldWrongAtATime) {
    corruptFields(*describe(memorySource(goldenBytes(), "dump")));
}

TEST(Minidump, OneFieldWrongAtATimeInOurOwn) {
    Snapshot snapshot = sample();
    for (icecore::Thread& thread : snapshot.process->threads)
        thread.context->extended = {};
    snapshot.process->threads.items.pop_back();
    snapshot.attachments.clear();
    SavePlan plan = stacksOnly();
    plan.handles = plan.threadInfo = plan.memoryInfo = plan.unloadedModules = true;
    corruptFields(*describe(memorySource(bytesOfDump(snapshot, plan), "dump")));
}

TEST(Minidump, DirectoryOfZerosIsSaid) {
    auto bytes = goldenBytes();
    std::fill(bytes.begin() + 32, bytes.begin() + 32 + 8 * 12, std::byte{0});
    const auto dump = reopen(bytes);
    ASSERT_FALSE(dump);
    EXPECT_NE(dump.error().message.find("not written to its end"), std::string::npos);
}

TEST(Minidump, RefusesWhatIsNone) {
    EXPECT_FALSE(reopen({}));
    EXPECT_FALSE(reopen(std::vector<std::byte>(100)));
    EXPECT_FALSE(probe(*memorySource({}, "empty")));
    EXPECT_TRUE(probe(*memorySource(goldenBytes(), "dump")));
}

TEST(Minidump, SharedStringsCannotBlowUpMemory) {
    // Modules by the thousand, all named by the same 64 KiB.
    std::string text = R"(
MINIDUMP_HEADER header {
  Signature: "MDMP"
  Version: 0xa793
  NumberOfStreams: 1
  StreamDirectoryRva: 32
}
MINIDUMP_DIRECTORY {
  StreamType: 4
  DataSize: 648004
  Rva: @modules
}
bytes name {
  00000100
  41 * 65536
}
Count modules {
  Count: 6000
}
)";
    for (int i = 0; i < 6000; ++i)
        text += "MINIDUMP_MODULE {\n  BaseOfImage: " + std::to_string(i * 4096) +
                "\n  ModuleNameRva: 44\n}\n";
    const auto bytes = build(text);
    ASSERT_TRUE(bytes) << bytes.error().describe();
    const auto dump = reopen(*bytes);
    ASSERT_TRUE(dump);
    std::uint64_t named = 0;
    for (const icecore::Module& module : dump->process->modules)
        named += module.path.size();
    EXPECT_LT(named, bytes->size() + (80U << 20));
    EXPECT_TRUE(dump->issues.lossy());
}

}  // namespace
}  // namespace icecore::minidump
