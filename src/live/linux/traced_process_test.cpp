// Events of real processes, and that these notice nothing of being watched.
#include "live/traced_process.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "live/linux/frozen_process_test.h"

namespace icecore::live {
namespace {

using tests::Victim;
using Kind = ProcessEventKind;

constexpr std::uint64_t bit(int signal) {
    return std::uint64_t{1} << (signal - 1);
}

class Traced : public testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(victim_.line(), "ready"); }

    void trace(const EventWishes& wishes) {
        auto traced = traceProcess(static_cast<std::uint64_t>(victim_.pid()), wishes);
        ASSERT_TRUE(traced) << traced.error().describe();
        traced_ = *std::move(traced);
    }
    /// The next event; a test failure when none comes.
    ProcessEvent event() {
        const auto deadline = std::chrono::steady_clock::now() + tests::patience;
        while (std::chrono::steady_clock::now() < deadline) {
            auto next = traced_->next(std::chrono::milliseconds(100));
            if (!next) {
                ADD_FAILURE() << next.error().describe();
                return {};
            }
            if (*next) return **next;
        }
        ADD_FAILURE() << "no event came";
        return {};
    }
    /// Whether it answers "ok" while nothing is reported.
    void quietly(const std::string& command, const std::string& answer = {}) {
        victim_.tell(command + "\n");
        std::thread reader([&] {
            if (!answer.empty()) {
                EXPECT_EQ(victim_.line(), answer) << command;
            }
            EXPECT_EQ(victim_.line(), "ok") << command;
            done_ = true;
        });
        while (!done_) {
            auto next = traced_->next(std::chrono::milliseconds(20));
            ASSERT_TRUE(next) << next.error().describe();
            EXPECT_FALSE(*next) << command;
            if (*next) traced_->pass();
        }
        reader.join();
        done_ = false;
    }
    std::unique_ptr<FrozenProcess> freeze(SnapshotMode mode = SnapshotMode::automatic) {
        CaptureOptions options;
        options.mode = mode;
        SilentProgress progress;
        auto frozen = traced_->freeze(options, progress);
        EXPECT_TRUE(frozen) << frozen.error().describe();
        return frozen ? *std::move(frozen) : nullptr;
    }

    Victim victim_{"events"};
    std::unique_ptr<TracedProcess> traced_;
    std::atomic<bool> done_{false};
};

TEST_F(Traced, ASignalStandsBeforeItsHandler) {
    victim_.tell("handle 10\n");
    ASSERT_EQ(victim_.line(), "ok");
    trace({.signals = bit(SIGUSR1)});
    victim_.tell("thread-raise 10\n");
    const ProcessEvent seen = event();
    EXPECT_EQ(seen.kind, Kind::signal);
    EXPECT_EQ(seen.signal, SIGUSR1);
    EXPECT_FALSE(seen.deadly);
    EXPECT_NE(seen.thread, static_cast<std::uint64_t>(victim_.pid()));
    EXPECT_EQ(seen.sender, static_cast<std::uint64_t>(victim_.pid()));
    {
        const auto frozen = freeze();
        ASSERT_NE(frozen, nullptr);
        // The main thread was free to make the clone.
        EXPECT_EQ(frozen->mode(), SnapshotMode::clone) << frozen->fallbackReason();
        const auto& process = *frozen->snapshot().process;
        ASSERT_TRUE(process.exception);
        EXPECT_EQ(process.exception->threadId, seen.thread);
        EXPECT_EQ(process.exception->code, static_cast<std::uint32_t>(SIGUSR1));
        EXPECT_EQ(process.exception->firstChance, true);
        EXPECT_EQ(process.threads.size(), 2U);
    }
    ASSERT_EQ(victim_.line(), "ok");
    victim_.tell("handled\n");
    EXPECT_EQ(victim_.line(), "1 0");
    ASSERT_EQ(victim_.line(), "ok");
    // Its twin: another signal, of which nobody wants to hear.
    victim_.tell("handle 12\n");
    ASSERT_EQ(victim_.line(), "ok");
    quietly("raise 12");
    traced_.reset();
    EXPECT_EQ(tests::statusValue(victim_.pid(), "TracerPid"), "0");
    EXPECT_TRUE(victim_.alive());
}

TEST_F(Traced, ADeadlySignalStandsBeforeItEndsTheProcess) {
    victim_.tell("handle 10\n");
    ASSERT_EQ(victim_.line(), "ok");
    trace({.deadly = true});
    quietly("raise 10");  // handled: not deadly
    quietly("raise 17");  // SIGCHLD: ignored
    victim_.tell("thread-crash\n");
    const ProcessEvent seen = event();
    EXPECT_EQ(seen.signal, SIGSEGV);
    EXPECT_TRUE(seen.deadly);
    {
        const auto frozen = freeze();
        ASSERT_NE(frozen, nullptr);
        const auto& process = *frozen->snapshot().process;
        ASSERT_TRUE(process.exception);
        EXPECT_EQ(process.exception->threadId, seen.thread);
        EXPECT_EQ(process.exception->faultAddress, 0U);
        EXPECT_EQ(process.exception->firstChance, false);
    }
    EXPECT_TRUE(tests::eventually([&] { return !traced_->next(std::chrono::milliseconds(50)); }));
    EXPECT_EQ(WTERMSIG(traced_->exitStatus()), SIGSEGV);
    EXPECT_EQ(WTERMSIG(victim_.wait()), SIGSEGV);
}

TEST_F(Traced, TheEndIsSeenWhileMemoryIsThere) {
    victim_.tell("park 3\n");
    ASSERT_EQ(victim_.line(), "ok");
    trace({.exits = true});
    quietly("thread");  // a thread's end is not the process'
    victim_.tell("exit 3\n");
    const ProcessEvent seen = event();
    EXPECT_EQ(seen.kind, Kind::exiting);
    EXPECT_EQ(WEXITSTATUS(seen.status), 3);
    {
        const auto frozen = freeze();
        ASSERT_NE(frozen, nullptr);
        EXPECT_EQ(frozen->snapshot().process->threads.size(), 4U);
        EXPECT_GT(readPlan(*frozen), 0U);
    }
    EXPECT_EQ(WEXITSTATUS(victim_.wait()), 3);
}

TEST_F(Traced, TheEndByASignalFromOutsideIsSeen) {
    trace({.exits = true});
    ::kill(victim_.pid(), SIGTERM);
    const ProcessEvent seen = event();
    EXPECT_EQ(seen.kind, Kind::exiting);
    EXPECT_EQ(WTERMSIG(seen.status), SIGTERM);
    traced_->pass();
    EXPECT_EQ(WTERMSIG(victim_.wait()), SIGTERM);
}

TEST_F(Traced, ThreadsAreSeenComingAndGoing) {
    trace({.threads = true});
    victim_.tell("thread\n");
    const ProcessEvent born = event();
    EXPECT_EQ(born.kind, Kind::threadStarted);
    {
        const auto frozen = freeze();
        ASSERT_NE(frozen, nullptr);
        EXPECT_EQ(frozen->snapshot().process->threads.size(), 2U);
    }
    const ProcessEvent gone = event();
    EXPECT_EQ(gone.kind, Kind::threadEnded);
    EXPECT_EQ(gone.thread, born.thread);
    traced_->pass();
    EXPECT_EQ(victim_.line(), "ok");
}

TEST_F(Traced, ABreakpointIsMetByEveryThreadAndLeavesNoTrace) {
    // The program's entry: where exec arrives.
    trace({});
    victim_.tell("exec\n");
    const ProcessEvent replaced = event();
    EXPECT_EQ(replaced.kind, Kind::replaced);
    const auto newEntry = traced_->view().auxvValue(AT_ENTRY);
    ASSERT_TRUE(newEntry);
    const std::uint64_t addresses[] = {*newEntry};
    const auto set = traced_->setBreakpoints(addresses);
    ASSERT_TRUE(set) << set.error().describe();
    traced_->pass();
    const ProcessEvent met = event();
    EXPECT_EQ(met.kind, Kind::breakpoint);
    EXPECT_EQ(met.address, *newEntry);
    EXPECT_EQ(met.registers.pc(), *newEntry);
    traced_->pass();
    EXPECT_EQ(victim_.line(), "ready");
    quietly("thread");
    traced_.reset();
    victim_.tell("fork\n");
    EXPECT_EQ(victim_.line(), "child 0");
}

TEST_F(Traced, SignalsThatAreIgnoredBreakNothingOff) {
    trace({.deadly = true, .exits = true, .threads = false});
    quietly("epoll", "epoll 0 ");
}

TEST_F(Traced, AStoppedProcessStaysStopped) {
    trace({.signals = bit(SIGUSR1), .deadly = true});
    ::kill(victim_.pid(), SIGSTOP);
    const auto state = [&] { return tests::statusValue(victim_.pid(), "State").substr(0, 1); };
    int status = 0;
    ASSERT_TRUE(tests::eventually([&] {
        (void)traced_->next(std::chrono::milliseconds(10));
        return ::waitpid(victim_.pid(), &status, WUNTRACED | WNOHANG) == victim_.pid();
    }));
    EXPECT_TRUE(WIFSTOPPED(status));
    victim_.tell("print hello\n");
    {
        const auto frozen = freeze();
    }
    (void)traced_->next(std::chrono::milliseconds(300));
    EXPECT_EQ(state(), "t");  // in the stop, seen by its tracer
    traced_.reset();
    EXPECT_TRUE(tests::eventually([&] { return state() == "T"; })) << state();
    ::kill(victim_.pid(), SIGCONT);
    EXPECT_EQ(victim_.line(), "hello");
    EXPECT_EQ(victim_.line(), "ok");
}

TEST_F(Traced, ContinuingWakesItUnderTheWatchToo) {
    trace({.deadly = true});
    ::kill(victim_.pid(), SIGSTOP);
    int status = 0;
    ASSERT_TRUE(tests::eventually([&] {
        (void)traced_->next(std::chrono::milliseconds(10));
        return ::waitpid(victim_.pid(), &status, WUNTRACED | WNOHANG) == victim_.pid();
    }));
    ::kill(victim_.pid(), SIGCONT);
    quietly("print hello", "hello");
}

}  // namespace
}  // namespace icecore::live
