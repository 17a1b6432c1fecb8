// Every thread is stopped and read, whatever it is doing; none is forgotten.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "live/linux/frozen_process_test.h"

namespace icecore::live {
namespace {

using tests::Victim;

constexpr DumpType mini{0, false};

const Thread* threadNamed(const FrozenProcess& process, std::string_view name) {
    const auto& threads = process.snapshot().process->threads.items;
    const auto found = std::ranges::find(threads, name, &Thread::name);
    return found == threads.end() ? nullptr : &*found;
}

std::size_t threadCount(pid_t pid) {
    return parseDecimal(tests::statusValue(pid, "Threads")).value_or(0);
}

std::uint64_t residentOf(pid_t pid) {
    const std::string value = tests::statusValue(pid, "VmRSS");
    return parseDecimal(splitBlanks(value)[0]).value_or(0) << 10;
}

TEST(Threads, RegistersVectorsNamesAndStacks) {
    Victim victim("capture_threads", {"named"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('S'); }));
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        // It may still be on its way to the loop.
        std::unique_ptr<FrozenProcess> process;
        const Thread* thread = nullptr;
        ASSERT_TRUE(tests::eventually([&] {
            process.reset();
            // And its leader, which the last capture woke, on its way back to sleep.
            if (!tests::statusValue(victim.pid(), "State").starts_with('S')) return false;
            process = frozen(victim.pid(), mode, mini);
            thread = process == nullptr ? nullptr : threadNamed(*process, "known-thread");
            return thread != nullptr && thread->context &&
                   thread->context->registers.valueOr0(x64::rbx) == 0x1cec04e5ca1ab1eU;
        }));
        EXPECT_EQ(thread->id, victim.number("tid"));
        EXPECT_EQ(thread->tls, victim.number("tls"));
        EXPECT_EQ(thread->state, 'R');
        EXPECT_EQ(thread->priority, 0);
        EXPECT_TRUE(thread->userTime.has_value());
        EXPECT_NE(thread->affinity.value_or(0), 0U);
        ASSERT_TRUE(thread->stack.has_value());
        EXPECT_EQ(thread->stack->begin(), thread->context->registers.sp());
        EXPECT_TRUE(thread->stack->contains(victim.number("tls")));
        EXPECT_LE(thread->stack->size(), 65536U + 8192U);
        // xmm7 in the FXSAVE area: Intel SDM volume 1, table 10-2.
        const auto vectors = thread->context->floatingPoint.span();
        ASSERT_EQ(vectors.size(), 512U);
        EXPECT_EQ(loadInteger<std::uint64_t>(vectors.data() + 160 + 7 * 16), 0x1cec04e5ca1ab1eU);
        // This machine's tests need XSAVE; without it there is no such area.
        if (tests::readText("/proc/cpuinfo").find(" xsave ") != std::string::npos) {
            EXPECT_GT(thread->context->extended.size(), 576U);
        }
        const Process& model = *process->snapshot().process;
        EXPECT_EQ(model.threads[0].id, static_cast<std::uint64_t>(victim.pid()));
        EXPECT_EQ(model.threads[0].state, 'S');
        const Region* stack = model.regionAt(model.threads[0].context->registers.sp());
        ASSERT_NE(stack, nullptr);
        EXPECT_EQ(stack->kind, RegionKind::stack);
    }
}

TEST(Threads, FiveThousand) {
    constexpr std::size_t count = 5000;
    Victim victim("capture_threads", {"many", std::to_string(count)});
    ASSERT_TRUE(victim.until("ready"));
    const std::uint64_t before = residentOf(::getpid());
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        const auto process = frozen(victim.pid(), mode, mini);
        ASSERT_NE(process, nullptr);
        const auto& threads = process->snapshot().process->threads;
        EXPECT_EQ(threads.coverage, Coverage::complete);
        EXPECT_EQ(threads.size(), count + 1);
        std::set<std::uint64_t> ids;
        for (const Thread& thread : threads) {
            ids.insert(thread.id);
            EXPECT_TRUE(thread.context && thread.stack) << thread.id;
        }
        EXPECT_EQ(ids.size(), count + 1);
        EXPECT_TRUE(process->snapshot().issues.empty());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        EXPECT_LT(residentOf(::getpid()), std::max<std::uint64_t>(before, 8U << 20) + (48U << 20));
#endif
    }
    (void)before;
    EXPECT_EQ(threadCount(victim.pid()), count + 1);
    EXPECT_TRUE(victim.alive());
}

TEST(Threads, ChurnNeitherFailsNorIsDisturbed) {
    Victim victim("capture_threads", {"churn", "8"});
    ASSERT_TRUE(victim.until("ready"));
    for (int round = 0; round < 20; ++round) {
        const SnapshotMode mode = round % 2 == 0 ? SnapshotMode::clone : SnapshotMode::stop;
        const auto process = frozen(victim.pid(), mode, mini);
        ASSERT_NE(process, nullptr);
        const auto& threads = process->snapshot().process->threads;
        EXPECT_GE(threads.size(), 2U);
        for (const Thread& thread : threads)
            EXPECT_TRUE(thread.context.has_value());
        EXPECT_EQ(threads.coverage, Coverage::complete);
        if (mode != SnapshotMode::stop) continue;
        // Nobody runs on: the list of threads is what was stopped.
        for (const auto& task :
             std::filesystem::directory_iterator(fmt::format("/proc/{}/task", victim.pid()))) {
            const auto id = parseDecimal(task.path().filename().string()).value_or(0);
            // Through a stream's operator: one that ends while it is read is an error, not a throw.
            std::ostringstream text;
            text << std::ifstream(task.path() / "stat").rdbuf();
            const std::string stat = text.str();
            // One that was on its way out when we came is listed for a moment longer.
            const bool leaving = stat.empty() || stat.find(") X ") != std::string::npos ||
                                 stat.find(") Z ") != std::string::npos;
            EXPECT_TRUE(leaving || process->snapshot().process->thread(id) != nullptr) << stat;
        }
    }
    EXPECT_TRUE(victim.alive());
    EXPECT_EQ(tests::statusValue(victim.pid(), "TracerPid"), "0");
}

TEST(Threads, ALeaderThatHasEnded) {
    Victim victim("capture_threads", {"leader-ends"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('Z'); }));
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        const auto process = frozen(victim.pid(), mode);
        ASSERT_NE(process, nullptr);
        EXPECT_EQ(process->mode(), mode);
        const Process& model = *process->snapshot().process;
        ASSERT_EQ(model.threads.size(), 2U);
        EXPECT_EQ(model.threads[0].state, 'Z');
        EXPECT_FALSE(model.threads[0].context.has_value());
        ASSERT_TRUE(model.threads[1].context.has_value());
        EXPECT_FALSE(model.modules.empty());
        EXPECT_FALSE(model.commandLine.empty());
        EXPECT_GT(readPlan(*process), 0U);
    }
    victim.closeInput();
    EXPECT_EQ(victim.wait(), 0);
}

TEST(Threads, OneThatCannotBeStoppedIsListedAndLetGoLater) {
    Victim victim("capture_threads", {"vfork"});
    ASSERT_TRUE(victim.until("ready"));
    const auto id = static_cast<std::uint64_t>(victim.number("tid"));
    const std::string stat = fmt::format("/proc/{}/task/{}/stat", victim.pid(), id);
    ASSERT_TRUE(
        tests::eventually([&] { return tests::readText(stat).find(") D ") != std::string::npos; }));
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        CaptureOptions options;
        options.mode = mode;
        options.threadTimeout = std::chrono::milliseconds(100);
        SilentProgress progress;
        const auto process = freeze(static_cast<std::uint64_t>(victim.pid()), options, progress);
        ASSERT_TRUE(process.has_value()) << process.error().describe();
        EXPECT_EQ((*process)->mode(), mode);
        const auto& threads = (*process)->snapshot().process->threads;
        EXPECT_EQ(threads.coverage, Coverage::partial);
        ASSERT_EQ(threads.size(), 2U);
        EXPECT_EQ(threads[1].id, id);
        EXPECT_EQ(threads[1].state, 'D');
        // Where it is can be told all the same.
        ASSERT_TRUE(threads[1].context.has_value());
        EXPECT_NE(threads[1].context->registers.pc(), 0U);
        EXPECT_FALSE(threads[1].context->registers.has(x64::rax));
        EXPECT_TRUE((*process)->snapshot().issues.lossy());
    }
    // Both captures are over, and the thread is as stuck as before: nobody waited for it.
    EXPECT_NE(tests::readText(stat).find(") D "), std::string::npos);
    // The child ends, the thread comes back, and nobody stands in its way.
    victim.closeInput();
    EXPECT_TRUE(tests::eventually([&] {
        return tests::readText(stat).find(") S ") != std::string::npos;
    })) << tests::readText(stat);
    EXPECT_EQ(tests::statusValue(victim.pid(), "TracerPid"), "0");
}

TEST(Threads, AStoppedTargetStaysStopped) {
    Victim victim("capture_threads", {"many", "3"});
    ASSERT_TRUE(victim.until("ready"));
    ::kill(victim.pid(), SIGSTOP);
    const auto allStopped = [&] {
        for (const auto id : std::vector{victim.pid()}) {
            if (!tests::statusValue(id, "State").starts_with('T')) return false;
        }
        return true;
    };
    ASSERT_TRUE(tests::eventually(allStopped));
    int status = 0;
    ASSERT_EQ(::waitpid(victim.pid(), &status, WUNTRACED), victim.pid());
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        {
            const auto process = frozen(victim.pid(), mode);
            ASSERT_NE(process, nullptr);
            EXPECT_EQ(process->mode(), mode);
            EXPECT_EQ(process->snapshot().process->threads.size(), 4U);
            EXPECT_EQ(process->snapshot().process->threads[0].state, 'T');
            EXPECT_GT(readPlan(*process), 0U);
        }
        EXPECT_TRUE(tests::eventually(allStopped)) << tests::statusValue(victim.pid(), "State");
        // Its parent hears nothing new of the stop.
        EXPECT_EQ(::waitpid(victim.pid(), &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
    }
    ::kill(victim.pid(), SIGCONT);
    EXPECT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('S'); }));
    victim.closeInput();
    EXPECT_EQ(victim.wait(), 0);
}

TEST(Threads, OneContinuedWhileFrozenRunsAfterwards) {
    Victim victim("capture_threads", {"many", "1"});
    ASSERT_TRUE(victim.until("ready"));
    ::kill(victim.pid(), SIGSTOP);
    ASSERT_TRUE(tests::eventually(
        [&] { return tests::statusValue(victim.pid(), "State").starts_with('T'); }));
    auto process = frozen(victim.pid(), SnapshotMode::stop);
    ASSERT_NE(process, nullptr);
    ::kill(victim.pid(), SIGCONT);
    process.reset();
    victim.closeInput();
    EXPECT_EQ(victim.wait(), 0);
}

// The pause that we tell is the one the target saw: its own thread watches the clock.
TEST(ThreadsSerial, ThePauseToldIsThePauseSeen) {
    Victim victim("capture_threads", {"watch"});
    ASSERT_TRUE(victim.until("ready"));
    const auto longestGap = [&] {
        victim.tell("?");
        return std::chrono::nanoseconds(parseDecimal(victim.line()).value_or(0));
    };
    longestGap();
    auto process = frozen(victim.pid(), SnapshotMode::stop, mini);
    ASSERT_NE(process, nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    process->release();
    const auto told = process->pause();
    EXPECT_GE(told, std::chrono::milliseconds(400));
    // It may wait for a CPU on top, while another of its threads answers already; and it sees the
    // end of its stop before we note it.
    std::chrono::nanoseconds seen{};
    EXPECT_TRUE(tests::eventually([&] {
        seen = std::max(seen, longestGap());
        return seen > told * 9 / 10;
    })) << seen.count();
    EXPECT_LT(seen, told * 3);
    // Released, the pause does not grow.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(process->pause(), told);
    // And a clone pauses for less, however long it is held.
    process = frozen(victim.pid(), SnapshotMode::clone, mini);
    ASSERT_NE(process, nullptr);
    const auto cloned = process->pause();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    EXPECT_EQ(process->pause(), cloned);
    EXPECT_LT(cloned, told);
    process.reset();
}

}  // namespace
}  // namespace icecore::live
