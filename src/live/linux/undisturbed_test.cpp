// Whatever a capture does, the target does not notice: no signal lost, no system call broken off,
// no child left, no state changed; not even when the one who captures is killed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <random>
#include <set>

#include "live/linux/frozen_process_test.h"

namespace icecore::live {
namespace {

using tests::Victim;

constexpr DumpType mini{0, false};

/// Ends the victim by its standard input; "ok" when it has noticed nothing.
std::string verdictOf(Victim& victim) {
    victim.closeInput();
    return victim.line();
}

/// Lines of status that no capture may change. (Not SigQ: it counts for all processes of a user.)
std::string stateOf(pid_t pid) {
    std::string text;
    for (const char* key :
         {"State",       "TracerPid",   "Threads",      "SigPnd",      "ShdPnd",   "SigBlk",
          "SigIgn",      "SigCgt",      "CapEff",       "NoNewPrivs",  "Seccomp",  "VmSize",
          "VmLck",       "VmPin",       "VmData",       "VmStk",       "VmExe",    "VmLib",
          "VmPTE",       "VmSwap",      "HugetlbPages", "RssAnon",     "RssShmem", "FDSize",
          "CoreDumping", "THP_enabled", "Cpus_allowed", "Mems_allowed"})
        text += fmt::format("{} {}\n", key, tests::statusValue(pid, key));
    for (const char* file :
         {"coredump_filter", "oom_score_adj", "timerslack_ns", "limits", "personality", "comm"})
        text +=
            fmt::format("{} {}\n", file, tests::readText(fmt::format("/proc/{}/{}", pid, file)));
    return text;
}

/// Processes that hang on a process without being its children by birth: clones of it.
std::vector<pid_t> leftBy(pid_t victim) {
    return tests::childrenOf(victim);
}

class Undisturbed : public testing::TestWithParam<SnapshotMode> {};
INSTANTIATE_TEST_SUITE_P(CloneAndStop, Undisturbed,
                         testing::Values(SnapshotMode::clone, SnapshotMode::stop),
                         [](const auto& parameter) {
                             return parameter.param == SnapshotMode::clone ? "clone" : "stop";
                         });

TEST_P(Undisturbed, SystemCallsAreNotBrokenOff) {
    Victim victim("capture_state", {"calls"});
    ASSERT_TRUE(victim.until("ready"));
    for (int round = 0; round < 25; ++round) {
        const auto process = frozen(victim.pid(), GetParam(), mini);
        ASSERT_NE(process, nullptr);
        ASSERT_EQ(process->mode(), GetParam());
        EXPECT_EQ(process->snapshot().process->threads.size(), 11U);
    }
    EXPECT_EQ(verdictOf(victim), "ok");
}

TEST_P(Undisturbed, SignalsAreNeitherLostNorReordered) {
    Victim victim("capture_state", {"signals"});
    ASSERT_TRUE(victim.until("ready"));
    // A sender that never rests; one who can only take it a little ahead of the victim (SIGQ).
    std::atomic<bool> stop{false};
    std::atomic<int> sent{0};
    std::thread sender([&] {
        while (!stop) {
            sigval number{};
            number.sival_int = sent + 1;
            if (::sigqueue(victim.pid(), SIGRTMIN + 1, number) == 0)
                ++sent;
            else
                std::this_thread::yield();
            if (sent % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    });
    for (int round = 0; round < 50; ++round) {
        const auto process = frozen(victim.pid(), GetParam(), mini);
        if (process == nullptr) break;
        EXPECT_EQ(process->mode(), GetParam()) << process->fallbackReason();
    }
    stop = true;
    sender.join();
    std::string expected;
    EXPECT_TRUE(tests::eventually([&] {
        victim.tell("?");
        expected = victim.line();
        return expected == std::to_string(sent + 1);
    })) << expected
        << " of " << sent + 1;
    EXPECT_GT(sent, 50);
    EXPECT_EQ(verdictOf(victim), "ok");
}

TEST_P(Undisturbed, NothingOfItsStateChanges) {
    Victim victim("capture_state", {"file"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('S'); }));
    const std::string fdinfo = fmt::format("/proc/{}/fdinfo/{}", victim.pid(), victim.number("fd"));
    const std::string before = stateOf(victim.pid());
    const std::string positionBefore = tests::readText(fdinfo);
    for (int round = 0; round < 3; ++round) {
        DumpType type = everything;
        type.flags |= static_cast<std::uint32_t>(DumpFlag::with_handle_data);
        const auto process = frozen(victim.pid(), GetParam(), type);
        ASSERT_NE(process, nullptr);
        EXPECT_GT(readPlan(*process), 0U);
        const auto& handles = process->snapshot().process->handles;
        EXPECT_EQ(handles.coverage, Coverage::complete);
        const auto file = std::ranges::find(handles.items, victim.number("fd"), &Handle::value);
        ASSERT_NE(file, handles.items.end());
        EXPECT_EQ(file->position, 1234U);
        EXPECT_EQ(file->type, "File");
        EXPECT_NE(file->name.find("capture_state"), std::string::npos);
        const Thread& thread = process->snapshot().process->threads[0];
        EXPECT_EQ(thread.blockedSignals,
                  std::uint64_t{1} << (SIGUSR1 - 1) | std::uint64_t{1} << (SIGRTMIN + 2));
        EXPECT_EQ(thread.pendingSignals, std::uint64_t{1} << (SIGUSR1 - 1));
    }
    // It wakes and goes back to sleep.
    (void)tests::eventually([&] { return stateOf(victim.pid()) == before; });
    EXPECT_EQ(stateOf(victim.pid()), before);
    EXPECT_EQ(tests::readText(fdinfo), positionBefore);
    EXPECT_TRUE(leftBy(victim.pid()).empty());
    EXPECT_EQ(verdictOf(victim), "ok");
}

/// Kills the one who captures after `delay`, wherever it then is.
void captureAndDie(pid_t victim, SnapshotMode mode, std::chrono::microseconds delay) {
    const pid_t tracer = ::fork();
    ASSERT_GE(tracer, 0);
    if (tracer == 0) {
        SilentProgress progress;
        CaptureOptions options;
        options.mode = mode;
        for (;;) {
            const auto process = freeze(static_cast<std::uint64_t>(victim), options, progress);
            if (!process && process.error().code != Errc::busy) ::_exit(1);
        }
    }
    std::this_thread::sleep_for(delay);
    ::kill(tracer, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(tracer, &status, 0), tracer);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it failed by itself";
}

TEST_P(Undisturbed, TheOneWhoCapturesMayBeKilledAtAnyMoment) {
    Victim victim("capture_state", {"calls"});
    Victim alone("capture_state", {"signals"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_TRUE(alone.until("ready"));
    std::mt19937 random(GetParam() == SnapshotMode::clone ? 1 : 2);
    std::uniform_int_distribution<int> delay(0, 40'000);
    for (int round = 0; round < 40; ++round) {
        const pid_t pid = round % 2 == 0 ? victim.pid() : alone.pid();
        captureAndDie(pid, GetParam(), std::chrono::microseconds(delay(random)));
        // What was begun is put back without the one who began it.
        ASSERT_TRUE(tests::eventually([&] {
            const std::string state = tests::statusValue(pid, "State");
            return tests::statusValue(pid, "TracerPid") == "0" && !state.starts_with('t') &&
                   !state.starts_with('T') && leftBy(pid).empty();
        })) << tests::statusValue(pid, "State")
            << " traced by " << tests::statusValue(pid, "TracerPid") << ", children "
            << leftBy(pid).size();
    }
    EXPECT_EQ(verdictOf(victim), "ok");
    EXPECT_EQ(verdictOf(alone), "ok");
}

TEST(Clone, ItStandsStillAndEndsWithItsOwner) {
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    auto process = frozen(victim.pid(), SnapshotMode::clone);
    ASSERT_NE(process, nullptr);
    const auto children = leftBy(victim.pid());
    ASSERT_EQ(children.size(), 1U);
    EXPECT_TRUE(tests::statusValue(children[0], "State").starts_with('t'));
    EXPECT_NE(tests::statusValue(children[0], "TracerPid"), "0");
    // The target itself is free: not traced, not stopped.
    EXPECT_EQ(tests::statusValue(victim.pid(), "TracerPid"), "0");
    EXPECT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('S'); }));
    EXPECT_EQ(tests::readText(fmt::format("/proc/{}/oom_score_adj", children[0])), "1000\n");
    process.reset();
    EXPECT_TRUE(leftBy(victim.pid()).empty());
    EXPECT_TRUE(tests::statusValue(children[0], "State").empty());
}

TEST(Clone, SeesTheMemoryOfItsMoment) {
    Victim victim("capture_state", {"signals"});
    ASSERT_TRUE(victim.until("ready"));
    const auto process = frozen(victim.pid(), SnapshotMode::clone);
    ASSERT_NE(process, nullptr);
    // The victim goes on and changes itself: the counter of the next expected signal.
    sigval number{};
    number.sival_int = 1;
    ASSERT_EQ(::sigqueue(victim.pid(), SIGRTMIN + 1, number), 0);
    victim.tell("?");
    EXPECT_EQ(victim.line(), "2");
    // Of the data of the program, some word is 1 in the clone and 2 in the victim.
    const auto live = frozen(victim.pid(), SnapshotMode::stop);
    ASSERT_NE(live, nullptr);
    int changed = 0;
    for (const Region& region : process->snapshot().process->regions) {
        if (!region.protection.write || region.name.find("capture_state") == std::string::npos)
            continue;
        const auto size = static_cast<std::size_t>(region.range.size());
        std::vector<std::byte> then(size);
        std::vector<std::byte> now(size);
        ASSERT_TRUE(process->snapshot().process->memory->readExactly(region.range.begin(), then));
        ASSERT_TRUE(live->snapshot().process->memory->readExactly(region.range.begin(), now));
        for (std::size_t i = 0; i + 4 <= size; i += 4) {
            changed += loadInteger<std::uint32_t>(then.data() + i) == 1 &&
                       loadInteger<std::uint32_t>(now.data() + i) == 2;
        }
    }
    EXPECT_EQ(changed, 1);
}

TEST(Clone, OutlivesItsTarget) {
    Victim victim("capture_memory", {"resident", "32"});
    ASSERT_TRUE(victim.until("ready"));
    const std::uint64_t at = victim.number("resident");
    auto process = frozen(victim.pid(), SnapshotMode::clone);
    ASSERT_NE(process, nullptr);
    const auto children = leftBy(victim.pid());
    ASSERT_EQ(children.size(), 1U);
    // The target dies in mid-dump: what was captured is whole.
    victim.kill();
    std::vector<std::byte> bytes(32 << 20);
    ASSERT_TRUE(process->snapshot().process->memory->readExactly(at, bytes));
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data() + 4096), (at + 4096) ^ 0x1cec04e000000000U);
    process.reset();
    EXPECT_TRUE(
        tests::eventually([&] { return tests::statusValue(children[0], "State").empty(); }));
}

TEST(Stop, ATargetThatDiesWhileItIsReadIsUnreadableNotZero) {
    Victim victim("capture_memory", {"resident", "4"});
    ASSERT_TRUE(victim.until("ready"));
    const std::uint64_t at = victim.number("resident");
    const auto process = frozen(victim.pid(), SnapshotMode::stop);
    ASSERT_NE(process, nullptr);
    std::vector<std::byte> bytes(4096);
    ASSERT_TRUE(process->snapshot().process->memory->readExactly(at, bytes));
    victim.kill();
    const ReadOutcome outcome = process->snapshot().process->memory->read(at, bytes);
    EXPECT_EQ(outcome.bytes, 0U);
    EXPECT_EQ(outcome.stopped, Absence::unreadable);
}

}  // namespace
}  // namespace icecore::live
