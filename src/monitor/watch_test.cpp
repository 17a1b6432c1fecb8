// The flow of a watch, against a scripted process whose clock only moves while the watch sleeps.
// Levels of real processes: tests/dump_triggers.cpp.
#include "monitor/watch.h"

#include <gtest/gtest.h>

#include "monitor/fact_source.h"

namespace icecore::monitor {
namespace {

using namespace std::chrono_literals;

class ScriptedProcess final : public FactSource {
public:
    [[nodiscard]] std::uint64_t pid() const override { return 7; }
    Result<Facts> read(const WantedFacts&) override {
        if (clock >= lifetime) return fail(Errc::target_gone, "ended");
        Facts facts;
        facts.cpuTime = cpu;
        facts.commitBytes = commitPerSecond * static_cast<std::uint64_t>(clock / 1s);
        facts.threads = threads;
        facts.handles = handles;
        return facts;
    }
    [[nodiscard]] std::uint32_t processors() const override { return 4; }
    [[nodiscard]] std::chrono::nanoseconds now() const override { return clock; }
    void sleep(std::chrono::nanoseconds time, const Cancelled&) override {
        clock += time;
        cpu += std::chrono::nanoseconds(static_cast<std::int64_t>(
            static_cast<double>(time.count()) * (clock > idleFrom ? 0 : cores)));
    }
    void kill() override { killed = true; }

    std::chrono::nanoseconds clock{}, cpu{}, lifetime = 100s, idleFrom = 1000s;
    double cores = 0;
    std::uint64_t commitPerSecond = 0, threads = 1, handles = 3;
    bool killed = false;
};

struct Course {
    WatchReport report;
    std::vector<std::string> reasons;
    std::vector<std::chrono::nanoseconds> times;
};

Course run(const WatchPlan& plan, ScriptedProcess& process) {
    Course result;
    const auto report = watchLevels(plan, process,
                                    [&](const DumpReason& reason) -> Result<void> {
                                        result.reasons.push_back(reason.text);
                                        result.times.push_back(process.clock);
                                        return {};
                                    },
                                    {}, {});
    if (!report)
        ADD_FAILURE() << report.error().describe();
    else
        result.report = *report;
    return result;
}

TEST(Watch, CpuMustStayAboveForTheWholeTime) {
    WatchPlan plan;
    plan.triggers = {CpuLevel{Comparison::above, 40, false}};
    ScriptedProcess busy;
    busy.cores = 2;  // half of four
    const Course hit = run(plan, busy);
    ASSERT_EQ(hit.times.size(), 1U);
    EXPECT_EQ(hit.times[0], 10s);
    EXPECT_EQ(hit.reasons[0], "CPU 50 % is above 40 %");

    ScriptedProcess twin;
    twin.cores = 2;
    twin.idleFrom = 9s;
    EXPECT_EQ(run(plan, twin).report.end, WatchEnd::targetEnded);
    EXPECT_EQ(run(plan, twin).report.dumps, 0U);
}

TEST(Watch, CpuOfOneCoreAndBelow) {
    WatchPlan plan;
    plan.consecutive = 2s;
    plan.triggers = {CpuLevel{Comparison::above, 150, true}};
    ScriptedProcess busy;
    busy.cores = 2;
    EXPECT_EQ(run(plan, busy).report.dumps, 1U);
    plan.triggers = {CpuLevel{Comparison::below, 10, false}};
    ScriptedProcess twin;
    twin.cores = 2;
    EXPECT_EQ(run(plan, twin).report.dumps, 0U);
    ScriptedProcess idle;
    EXPECT_EQ(run(plan, idle).report.dumps, 1U);
}

TEST(Watch, EveryMemoryThresholdGivesOneDump) {
    WatchPlan plan;
    plan.count = 5;
    plan.triggers = {CommitLevel{Comparison::above, {10, 20, 30}}};
    ScriptedProcess growing;
    growing.commitPerSecond = 1024 * 1024;
    const Course hit = run(plan, growing);
    ASSERT_EQ(hit.times.size(), 3U);
    EXPECT_EQ(hit.times[0], 11s);
    EXPECT_EQ(hit.times[1], 21s);
    EXPECT_EQ(hit.times[2], 31s);
    EXPECT_EQ(hit.report.end, WatchEnd::count);
}

TEST(Watch, CountAndTimeBetweenDumpsAndKill) {
    WatchPlan plan;
    plan.count = 3;
    plan.consecutive = 5s;
    plan.killAfterDump = true;
    plan.triggers = {ThreadLevel{8}};
    ScriptedProcess process;
    process.threads = 8;
    const Course hit = run(plan, process);
    ASSERT_EQ(hit.times.size(), 3U);
    for (std::size_t i = 1; i < hit.times.size(); ++i)
        EXPECT_GE(hit.times[i] - hit.times[i - 1], 5s);
    EXPECT_TRUE(process.killed);
    ScriptedProcess twin;
    twin.threads = 7;
    EXPECT_EQ(run(plan, twin).report.dumps, 0U);
    EXPECT_FALSE(twin.killed);
}

TEST(Watch, DurationEndsIt) {
    WatchPlan plan;
    plan.duration = 3500ms;
    plan.triggers = {HandleLevel{4}};
    ScriptedProcess process;
    const Course none = run(plan, process);
    EXPECT_EQ(none.report.end, WatchEnd::duration);
    EXPECT_EQ(process.clock, 3500ms);
}

TEST(Watch, ShowingTakesNoDump) {
    WatchPlan plan;
    plan.showOnly = true;
    plan.consecutive = 0s;
    plan.triggers = {HandleLevel{3}};
    ScriptedProcess process;
    const Course shown = run(plan, process);
    EXPECT_EQ(shown.report.dumps, 1U);
    EXPECT_TRUE(shown.reasons.empty());
}

TEST(Watch, DumpsThatFailEndTheWatchInTheEnd) {
    WatchPlan plan;
    plan.consecutive = 0s;
    plan.triggers = {HandleLevel{3}};
    ScriptedProcess process;
    int tries = 0;
    const auto report = watchLevels(plan, process,
                                    [&](const DumpReason&) -> Result<void> {
                                        ++tries;
                                        return fail(Errc::io, "no");
                                    },
                                    {}, {});
    EXPECT_FALSE(report.has_value());
    EXPECT_EQ(tries, 3);
}

TEST(Watch, UnknownSourcesAreRefusedBeforeAnythingIsDone) {
    WatchPlan plan;
    plan.triggers = {ProcessExit{}};
    ScriptedProcess process;
    const auto report = watchLevels(plan, process, {}, {}, {});
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, Errc::unsupported);
}

TEST(WatchPlan, Filters) {
    WatchPlan plan;
    EXPECT_TRUE(passesFilters(plan, "std::bad_alloc: no"));
    plan.include = {"BAD_ALLOC"};
    EXPECT_TRUE(passesFilters(plan, "std::bad_alloc: no"));
    EXPECT_FALSE(passesFilters(plan, "std::logic_error: no"));
    plan.exclude = {"*: n?"};
    EXPECT_FALSE(passesFilters(plan, "std::bad_alloc: no"));
}

}  // namespace
}  // namespace icecore::monitor
