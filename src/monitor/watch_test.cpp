// The flow of a watch, against a scripted process whose clock only moves while the watch sleeps.
// Levels of real processes: tests/dump_triggers.cpp.
#include "monitor/watch.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "monitor/event_source.h"
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
        facts.commitBytes = commit + commitPerSecond * static_cast<std::uint64_t>(clock / 1s);
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
    Result<std::optional<double>> counter(const CounterPath& path) override {
        if (path.counter != "Thread Count") return fail(Errc::not_found, "no such counter");
        return std::optional(static_cast<double>(threads));
    }
    Result<std::optional<std::string>> hung(const HungWindow&) override {
        return fail(Errc::unsupported, "no windows here");
    }
    Result<std::optional<std::string>> hung(const HungProcess& trigger) override {
        if (clock < hungFrom + trigger.limit) return std::optional<std::string>();
        return std::optional<std::string>("hangs");
    }
    void kill() override { killed = true; }

    std::chrono::nanoseconds clock{}, cpu{}, lifetime = 100s, idleFrom = 1000s, hungFrom = 1000s;
    double cores = 0;
    std::uint64_t commit = 0, commitPerSecond = 0, threads = 1, handles = 3;
    bool killed = false;
};

struct Course {
    WatchReport report;
    std::vector<std::string> reasons;
    std::vector<std::chrono::nanoseconds> times;
};

Course run(const WatchPlan& plan, ScriptedProcess& process) {
    Course result;
    const auto report = watchWith(plan, process, nullptr,
                                  [&](const DumpReason& reason) -> Result<Taken> {
                                      result.reasons.push_back(reason.text);
                                      result.times.push_back(process.clock);
                                      return Taken::dump;
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

TEST(Watch, WhatHangsIsDumpedAtOnceAndAgainAfterTheGap) {
    WatchPlan plan;
    plan.count = 2;
    plan.hold = 4s;
    plan.triggers = {HungProcess{3s}};
    ScriptedProcess process;
    process.hungFrom = 20s;
    const Course course = run(plan, process);
    ASSERT_EQ(course.times.size(), 2U);
    EXPECT_EQ(course.times[0], 23s);
    EXPECT_EQ(course.times[1], 27s);
    ScriptedProcess twin;
    EXPECT_EQ(run(plan, twin).report.dumps, 0U);
}

TEST(Watch, WhatIsLeftOutDoesNotCount) {
    WatchPlan plan;
    plan.count = 2;
    plan.hold = 1s;
    plan.triggers = {ThreadLevel{1}};
    ScriptedProcess process;
    int asked = 0;
    std::vector<WatchEventKind> told;
    const auto report = watchWith(
        plan, process, nullptr,
        [&](const DumpReason&) -> Result<Taken> {
            return ++asked == 2 ? Taken::nothing : Taken::dump;
        },
        [&](const WatchEvent& event) { told.push_back(event.kind); }, {});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->dumps, 2U);
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(std::ranges::count(told, WatchEventKind::leftOut), 1);
    EXPECT_TRUE(report->failed.empty());
}

TEST(Watch, CpuOfOneCoreAndBelow) {
    WatchPlan plan;
    plan.hold = 2s;
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
    plan.hold = 2s;
    plan.triggers = {CommitLevel{Comparison::above, {10, 20, 30}}};
    ScriptedProcess growing;
    growing.commitPerSecond = 1024 * 1024;
    const Course hit = run(plan, growing);
    ASSERT_EQ(hit.times.size(), 3U);
    // Each must hold for two seconds.
    EXPECT_EQ(hit.times[0], 13s);
    EXPECT_EQ(hit.times[1], 23s);
    EXPECT_EQ(hit.times[2], 33s);
    EXPECT_EQ(hit.report.end, WatchEnd::count);
}

TEST(Watch, ThresholdsOfAListHoldSideBySide) {
    WatchPlan plan;
    plan.count = 3;
    plan.hold = 10s;
    plan.triggers = {CommitLevel{Comparison::above, {10, 20, 30}}};
    ScriptedProcess jump;
    jump.commit = std::uint64_t{100} << 20;
    const Course hit = run(plan, jump);
    ASSERT_EQ(hit.times.size(), 3U);
    for (const auto time : hit.times)
        EXPECT_EQ(time, 10s);
    plan.gap = 3s;
    const Course spaced = run(plan, jump);
    ASSERT_EQ(spaced.times.size(), 3U);
    EXPECT_EQ(spaced.times[1] - spaced.times[0], 3s);
}

TEST(Watch, CountAndTimeBetweenDumpsAndKill) {
    WatchPlan plan;
    plan.count = 3;
    plan.hold = 5s;
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

TEST(Watch, TheGapIsNotTheTimeToHold) {
    WatchPlan plan;
    plan.count = 3;
    plan.hold = 2s;
    plan.gap = 7s;
    plan.triggers = {ThreadLevel{8}};
    ScriptedProcess process;
    process.threads = 8;
    const Course hit = run(plan, process);
    ASSERT_EQ(hit.times.size(), 3U);
    EXPECT_EQ(hit.times[0], 2s);
    EXPECT_EQ(hit.times[1], 9s);
    EXPECT_EQ(hit.times[2], 16s);
    plan.triggers = {Timer{}};
    ScriptedProcess twin;
    const Course timed = run(plan, twin);
    ASSERT_EQ(timed.times.size(), 3U);
    EXPECT_EQ(timed.times[1] - timed.times[0], 7s);
}

/// One happening a second.
class ScriptedEvents final : public EventSource {
public:
    explicit ScriptedEvents(ScriptedProcess& process) : process_(process) {}
    Result<std::optional<Happening>> next(std::chrono::milliseconds time) override {
        process_.clock += time;
        if (process_.clock >= process_.lifetime) return fail(Errc::target_gone, "ended");
        if (script.empty() || process_.clock < at_) return std::nullopt;
        at_ = process_.clock + 1s;
        Happening first = script.front();
        script.erase(script.begin());
        ++standing;
        return first;
    }
    void pass() override { --standing; }
    Result<std::unique_ptr<live::FrozenProcess>> freeze(const live::CaptureOptions&,
                                                        Progress&) override {
        return fail(Errc::unsupported, "scripted");
    }

    std::vector<Happening> script;
    int standing = 0;

private:
    ScriptedProcess& process_;
    std::chrono::nanoseconds at_{};
};

TEST(Watch, EventsGoThroughTheFilters) {
    const auto thrown = [](std::string text, bool last) {
        return Happening{HappeningKind::exception, 1, 0, last, "E", std::move(text)};
    };
    WatchPlan plan;
    plan.count = 2;
    plan.triggers = {ExceptionSeen{Chance::first}};
    plan.include = {"bad*"};
    ScriptedProcess process;
    ScriptedEvents events(process);
    events.script = {thrown("good", false), thrown("bad one", false), thrown("worse", false),
                     thrown("bad two", true), thrown("bad three", false)};
    std::vector<std::string> dumped;
    std::vector<std::string> seen;
    const auto report = watchWith(
        plan, process, &events,
        [&](const DumpReason& reason) -> Result<Taken> {
            EXPECT_TRUE(reason.freeze);
            EXPECT_EQ(events.standing, 1);
            dumped.push_back(reason.text);
            return Taken::dump;
        },
        [&](const WatchEvent& event) {
            if (event.kind == WatchEventKind::seen) seen.push_back(event.text);
        },
        {});
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(dumped, (std::vector<std::string>{"bad one", "bad two"}));
    EXPECT_EQ(seen, (std::vector<std::string>{"good", "worse"}));
    EXPECT_EQ(report->end, WatchEnd::count);
    EXPECT_EQ(events.standing, 0);

    // Unhandled only: none of these but the last one's.
    plan.triggers = {ExceptionSeen{Chance::second}};
    plan.include = {};
    ScriptedProcess twin;
    ScriptedEvents others(twin);
    others.script = {thrown("handled", false), thrown("fatal", true)};
    dumped.clear();
    const auto second = watchWith(plan, twin, &others,
                                  [&](const DumpReason& reason) -> Result<Taken> {
                                      dumped.push_back(reason.text);
                                      return Taken::dump;
                                  },
                                  {}, {});
    ASSERT_TRUE(second);
    EXPECT_EQ(dumped, std::vector<std::string>{"fatal"});
    EXPECT_EQ(second->end, WatchEnd::targetEnded);
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
    plan.hold = 0s;
    plan.triggers = {HandleLevel{3}};
    ScriptedProcess process;
    const Course shown = run(plan, process);
    EXPECT_EQ(shown.report.dumps, 1U);
    EXPECT_TRUE(shown.reasons.empty());
}

TEST(Watch, DumpsThatFailEndTheWatchInTheEnd) {
    WatchPlan plan;
    plan.hold = 0s;
    plan.triggers = {HandleLevel{3}};
    ScriptedProcess process;
    int tries = 0;
    const auto report = watchWith(plan, process, nullptr,
                                  [&](const DumpReason&) -> Result<Taken> {
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
    const auto report = watchWith(plan, process, nullptr, {}, {}, {});
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, Errc::unsupported);
}

TEST(Watch, Counters) {
    WatchPlan plan;
    plan.hold = 2s;
    plan.triggers = {CounterLevel{R"(\Process(w3wp_66666)\Thread Count)", Comparison::above, 85}};
    ScriptedProcess process;
    process.threads = 86;
    const Course hit = run(plan, process);
    ASSERT_EQ(hit.reasons.size(), 1U);
    EXPECT_EQ(hit.reasons[0], R"(\Process(w3wp_66666)\Thread Count 86 is above 85)");
    ScriptedProcess twin;
    twin.threads = 85;
    EXPECT_EQ(run(plan, twin).report.dumps, 0U);
    plan.triggers = {CounterLevel{R"(\Process(w3wp)\Nonsense)", Comparison::above, 85}};
    EXPECT_FALSE(watchWith(plan, process, nullptr, {}, {}, {}));
}

TEST(CounterPath, IsTakenApart) {
    const auto path = parseCounterPath(R"(\Process(w3wp_66666)\Thread Count)");
    ASSERT_TRUE(path);
    EXPECT_EQ(*path, (CounterPath{"Process", "w3wp_66666", "Thread Count"}));
    EXPECT_EQ(*parseCounterPath(R"(\Memory\Available MBytes)"),
              (CounterPath{"Memory", "", "Available MBytes"}));
    for (const char* wrong : {"", "\\", "Process", "\\Process", "\\Process(x\\Y", "\\(x)\\"})
        EXPECT_FALSE(parseCounterPath(wrong)) << wrong;
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
