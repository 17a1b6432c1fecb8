// What goes into a core comes out of it.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "base/version.h"
#include "formats/elfcore/core_reader.h"
#include "formats/elfcore/core_samples.h"
#include "formats/elfcore/core_writer.h"

namespace icecore::elfcore::testing {
namespace {

struct Written {
    WriteReport report;
    std::vector<std::byte> bytes;
};

Written write(const Snapshot& snapshot, const SavePlan& plan) {
    MemorySink sink;
    SilentProgress progress;
    auto report = writeElfCore(snapshot, plan, sink, progress);
    EXPECT_TRUE(report) << (report ? "" : report.error().describe());
    return {report ? *report : WriteReport{}, std::move(sink.bytes())};
}

Snapshot reread(std::vector<std::byte> bytes) {
    auto snapshot = readElfCore(memorySource(std::move(bytes), "core"));
    EXPECT_TRUE(snapshot) << (snapshot ? "" : snapshot.error().describe());
    return std::move(*snapshot);
}

std::string describe(const Issues& issues) {
    std::string text;
    for (const Issue& issue : issues.items())
        text += issue.describe() + "\n";
    return text;
}

const Thread& byId(const Process& process, std::uint64_t id) {
    const Thread* thread = process.thread(id);
    EXPECT_NE(thread, nullptr);
    return *thread;
}

TEST(CoreRoundTrip, KeepsTheProcess) {
    const Snapshot before = sampleSnapshot();
    const Snapshot after = reread(write(before, samplePlan(before)).bytes);
    const Process& a = *before.process;
    const Process& b = *after.process;
    EXPECT_EQ(describe(after.issues), "");
    EXPECT_EQ(a.system, b.system);
    EXPECT_EQ(a.pid, b.pid);
    EXPECT_EQ(a.parentPid, b.parentPid);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.executable, b.executable);
    EXPECT_EQ(a.commandLine, b.commandLine);
    EXPECT_EQ(a.environment, b.environment);
    EXPECT_EQ(a.workingDirectory, b.workingDirectory);
    EXPECT_EQ(a.uid, b.uid);
    EXPECT_EQ(a.gid, b.gid);
    EXPECT_EQ(a.processGroup, b.processGroup);
    EXPECT_EQ(a.session, b.session);
    EXPECT_EQ(a.started, b.started);
    EXPECT_EQ(a.userTime, b.userTime);
    EXPECT_EQ(a.kernelTime, b.kernelTime);
    EXPECT_EQ(a.auxv, b.auxv);
    EXPECT_EQ(a.modules, b.modules);
    EXPECT_EQ(a.regions, b.regions);
    EXPECT_EQ(a.handles, b.handles);
    EXPECT_EQ(a.exception, b.exception);
    EXPECT_EQ(b.threads.coverage, Coverage::complete);
    ASSERT_EQ(b.threads.size(), 2U);
    for (const Thread& thread : a.threads)
        EXPECT_EQ(thread, byId(b, thread.id));
}

TEST(CoreRoundTrip, PutsTheCrashedThreadFirst) {
    const Snapshot before = sampleSnapshot();
    const Snapshot after = reread(write(before, samplePlan(before)).bytes);
    EXPECT_EQ(after.process->threads[0].id, 43U);
}

TEST(CoreRoundTrip, PutsTheLeaderFirstWithoutACrash) {
    Snapshot before = sampleSnapshot();
    before.process->exception.reset();
    for (Thread& thread : before.process->threads)
        thread.currentSignal = 0;
    std::ranges::reverse(before.process->threads.items);
    const Snapshot after = reread(write(before, samplePlan(before)).bytes);
    EXPECT_EQ(after.process->threads[0].id, 42U);
    EXPECT_FALSE(after.process->exception);
}

TEST(CoreRoundTrip, KeepsProvenanceAndAttachments) {
    const Snapshot before = sampleSnapshot();
    const Snapshot after = reread(write(before, samplePlan(before)).bytes);
    EXPECT_EQ(after.provenance.time, before.provenance.time);
    EXPECT_EQ(after.provenance.consistency, Consistency::mixed);
    EXPECT_EQ(after.provenance.tool, "icecore " + std::string(versionText));
    EXPECT_EQ(after.provenance.type, toString(samplePlan(before).type));
    EXPECT_EQ(after.provenance.format, "core");
    EXPECT_EQ(after.attachments, before.attachments);
}

TEST(CoreRoundTrip, KeepsBytesZerosAndHoles) {
    const Snapshot before = sampleSnapshot();
    const Written written = write(before, samplePlan(before));
    const Snapshot after = reread(written.bytes);
    for (const Region& region : before.process->regions) {
        for (std::uint64_t at = region.range.begin(); at < region.range.end(); at += pageBytes) {
            std::vector<std::byte> a(pageBytes), b(pageBytes);
            const ReadOutcome x = before.process->memory->read(at, a);
            const ReadOutcome y = after.process->memory->read(at, b);
            EXPECT_EQ(x.bytes, y.bytes) << hex(at);
            EXPECT_EQ(x.stopped, y.stopped) << hex(at);
            EXPECT_EQ(a, b) << hex(at);
            if (region.dontDump) break;  // one page tells of all
        }
    }
    EXPECT_TRUE(written.report.unread.empty());
    EXPECT_EQ(written.report.zeroBytes, 2 * pageBytes);
    EXPECT_EQ(written.report.bytes, written.bytes.size());
}

TEST(CoreRoundTrip, LeavesWhatIsNotPlannedInTheMap) {
    const Snapshot before = sampleSnapshot();
    SavePlan plan = samplePlan(before);
    plan.memory = {{Range::ofSize(stackAt + 0x120, 0x10), SaveReason::stack}};
    const Snapshot after = reread(write(before, plan).bytes);
    EXPECT_EQ(after.process->regions, before.process->regions);
    const AddressSpace& memory = *after.process->memory;
    std::vector<std::byte> page(pageBytes);
    EXPECT_EQ(memory.read(stackAt, page).bytes, pageBytes);  // saved in whole pages
    EXPECT_EQ(memory.read(stackAt + pageBytes, page).stopped, Absence::not_captured);
    EXPECT_EQ(memory.read(heapAt, page).stopped, Absence::not_captured);
    EXPECT_EQ(memory.read(0x1000, page).stopped, Absence::not_mapped);
}

/// Fails where the test wants it to.
class BrokenSpace final : public AddressSpace {
public:
    BrokenSpace(std::shared_ptr<const AddressSpace> whole, RangeSet broken)
        : whole_(std::move(whole)), broken_(std::move(broken)) {}
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const auto bad = broken_.within(Range::ofSize(address, out.size()));
        if (bad.empty()) return whole_->read(address, out);
        const std::uint64_t good = bad.front().begin() - address;
        const ReadOutcome got = whole_->read(address, out.first(static_cast<std::size_t>(good)));
        return {got.bytes, got.bytes == good ? Absence::unreadable : got.stopped};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return whole_->extents(within);
    }
    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        return whole_->explain(address);
    }

private:
    std::shared_ptr<const AddressSpace> whole_;
    RangeSet broken_;
};

TEST(CoreRoundTrip, RecordsWhatCouldNotBeRead) {
    Snapshot before = sampleSnapshot();
    RangeSet broken;
    broken.add(Range::ofSize(heapAt + 3 * pageBytes + 100, 1));
    before.process->memory = std::make_shared<BrokenSpace>(before.process->memory, broken);
    const Written written = write(before, samplePlan(before));
    // The readable start of a page that breaks is kept.
    const Range lost = Range::between(heapAt + 3 * pageBytes + 100, heapAt + 4 * pageBytes);
    EXPECT_EQ(written.report.unread, std::vector<Range>{lost});
    const Snapshot after = reread(written.bytes);
    EXPECT_EQ(after.unread, std::vector<Range>{lost});
    std::vector<std::byte> page(pageBytes);
    const ReadOutcome got = after.process->memory->read(heapAt + 3 * pageBytes, page);
    EXPECT_EQ(got.bytes, 100U);
    EXPECT_EQ(got.stopped, Absence::unreadable);
    EXPECT_EQ(after.process->memory->read(stackAt, page).bytes, pageBytes);
    // A second round keeps the knowledge.
    const Snapshot again = reread(write(after, samplePlan(after)).bytes);
    EXPECT_EQ(again.process->memory->read(heapAt + 3 * pageBytes, page).stopped,
              Absence::unreadable);
}

TEST(CoreRoundTrip, MoreSegmentsThanTheHeaderCanCount) {
    Snapshot before = sampleSnapshot();
    Process& process = *before.process;
    constexpr std::size_t count = 70'000;
    process.regions.items.clear();
    for (std::size_t i = 0; i < count; ++i) {
        process.regions.items.push_back(
            region(0x100000000 + i * 2 * pageBytes, pageBytes, RegionKind::anonymous));
    }
    process.memory = emptySpace();
    SavePlan plan;
    const Written written = write(before, plan);
    EXPECT_EQ(loadInteger<std::uint16_t>(written.bytes.data() + 56), 0xffff);  // e_phnum
    const auto sections = loadInteger<std::uint64_t>(written.bytes.data() + 40);
    EXPECT_EQ(loadInteger<std::uint32_t>(written.bytes.data() + sections + 44), count + 2);
    const Snapshot after = reread(written.bytes);
    EXPECT_EQ(describe(after.issues), "");
    EXPECT_EQ(after.process->regions.items, process.regions.items);
    EXPECT_EQ(after.process->memory->extents(Range::all()).size(), count);
}

TEST(CoreRoundTrip, FileNamesOnlyWhenAskedFor) {
    const Snapshot before = sampleSnapshot();
    SavePlan plan = samplePlan(before);
    plan.filterModulePaths = true;
    const Written written = write(before, plan);
    const Snapshot after = reread(written.bytes);
    EXPECT_EQ(after.process->modules[0].path, "sample");
    EXPECT_EQ(after.process->regions[0].name, "sample");
    EXPECT_EQ(after.process->regions[1].name, "[heap]");
    const std::string_view raw(reinterpret_cast<const char*>(written.bytes.data()),
                               written.bytes.size());
    EXPECT_EQ(raw.find("/opt/"), std::string_view::npos);
}

TEST(CoreRoundTrip, CancelStops) {
    const Snapshot before = sampleSnapshot();
    MemorySink sink;
    SilentProgress progress;
    progress.cancel();
    const auto report = writeElfCore(before, samplePlan(before), sink, progress);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::cancelled);
}

TEST(CoreRoundTrip, AMachineIsNoCore) {
    MemorySink sink;
    SilentProgress progress;
    const auto report = writeElfCore(Snapshot{}, SavePlan{}, sink, progress);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace icecore::elfcore::testing
