// `icecore dump` that waits for an event: a target that meets it is dumped, its twin is not, and
// nobody loses anything.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "formats/format.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using Json = nlohmann::json;

/// `icecore dump` beside a victim.
class Watcher {
public:
    Watcher(const Scratch& scratch, pid_t pid, const std::string& options)
        : log_(scratch.file("log")),
          result_(std::async(std::launch::async, [=, file = scratch.file("dump.core"), log = log_] {
              // A watch that never ends would be a test that never does.
              return shell("timeout 50 " + program() + " dump " + std::to_string(pid) + " --json " +
                           options + " -o " + file + " 2>" + log + "; code=$?; cat " + log +
                           "; exit $code");
          })) {}
    /// Once everything is in place.
    [[nodiscard]] bool begun() const {
        return eventually([&] { return readText(log_).find("watching") != std::string::npos; });
    }
    ShellOutput finish() { return result_.get(); }

private:
    std::string log_;
    std::future<ShellOutput> result_;
};

/// What --json printed, before what came on standard error.
Json document(const std::string& text) {
    const std::size_t end = text.rfind('}');
    return Json::parse(text.substr(0, end == std::string::npos ? 0 : end + 1), nullptr, false);
}

struct Way {
    const char* name;
    const char* options;
    const char* twin;    ///< what does not meet it: the victim answers "ok" and lives
    const char* deed;    ///< what meets it
    const char* reason;  ///< in the dump's reason
    int signal;          ///< of the dump's exception; 0 none
};

class DumpEvent : public testing::TestWithParam<Way> {};

TEST_P(DumpEvent, DumpsWhoMeetsItAndNobodyElse) {
    const Way& way = GetParam();
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("handle 10\nhandle 11\n");
    ASSERT_EQ(victim.line(), "ok");
    ASSERT_EQ(victim.line(), "ok");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), way.options);
    ASSERT_TRUE(watcher.begun());
    victim.tell(std::string(way.twin) + "\n");
    ASSERT_EQ(victim.line(), "ok");
    EXPECT_FALSE(std::filesystem::exists(scratch.file("dump.core")));
    EXPECT_NE(statusValue(victim.pid(), "TracerPid"), "0");
    victim.tell(std::string(way.deed) + "\n");
    const ShellOutput done = watcher.finish();
    ASSERT_EQ(done.status, 0) << done.text;
    const Json json = document(done.text);
    ASSERT_TRUE(json.is_object()) << done.text;
    EXPECT_EQ(json["trigger"], way.name);
    EXPECT_NE(json["reason"].get<std::string>().find(way.reason), std::string::npos)
        << json["reason"];
    const auto dump = openDump(scratch.file("dump.core"));
    ASSERT_TRUE(dump) << dump.error().describe();
    ASSERT_TRUE(dump->process);
    EXPECT_EQ(dump->process->exception.has_value(), way.signal != 0);
    if (dump->process->exception) {
        EXPECT_EQ(dump->process->exception->code, static_cast<std::uint32_t>(way.signal));
        EXPECT_NE(dump->process->thread(dump->process->exception->threadId), nullptr);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DumpEvent,
    testing::Values(
        Way{"exit", "--exit", "thread", "exit 3", "exit code 3", 0},
        Way{"signal", "--signal USR1", "raise 17", "thread-raise 10", "SIGUSR1", SIGUSR1},
        Way{"exception", "--exception second", "raise 11", "thread-raise 8", "SIGFPE", SIGFPE},
        Way{"exception", "--exception second", "throw runtime x", "abort", "SIGABRT", SIGABRT},
        Way{"exception", "--exception first", "thread", "raise 11", "SIGSEGV", SIGSEGV},
        Way{"exception", "--exception first", "thread", "throw runtime out of milk",
            "std::runtime_error: out of milk", SIGTRAP},
        Way{"exception", "--exception first", "raise 10", "thread-throw shelf third from the left",
            "EmptyShelf: third from the left", SIGTRAP},
        Way{"exception", "--exception first", "raise 10", "throw system opening",
            "opening: No such", SIGTRAP},
        Way{"exception", "--exception first --filter 'std::bad*'", "throw runtime no",
            "throw alloc", "std::bad_alloc: std::bad_alloc", SIGTRAP},
        Way{"exception", "--exception first --exclude logic --exclude out_of_range",
            "throw logic no", "throw int", "int", SIGTRAP},
        Way{"module", "--load --filter thread_db", "load libBrokenLocale.so.1",
            "load libthread_db.so.1", "libthread_db", SIGTRAP},
        Way{"module", "--unload --filter BrokenLocale", "load libBrokenLocale.so.1", "unload",
            "unloaded /", SIGTRAP},
        Way{"output", "--debug-output --filter milk", "log nothing is missing", "log no milk left",
            "no milk left", 0},
        Way{"thread", "--thread-start", "raise 10", "thread", "started", 0},
        Way{"thread", "--thread-exit", "raise 10", "thread", "ended", 0}),
    [](const auto& way) {
        std::string name = std::to_string(way.index);
        for (const char c : std::string(way.param.deed))
            name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
        return name;
    });

TEST(DumpEvents, UncaughtIsToldByWhatWasThrown) {
    Victim victim("events", {}, [] { ::close(2); });
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), "--exception second --filter out_of_range");
    ASSERT_TRUE(watcher.begun());
    victim.tell("throw logic handled\n");
    ASSERT_EQ(victim.line(), "ok");
    victim.tell("uncaught logic too far\n");
    const ShellOutput done = watcher.finish();
    ASSERT_EQ(done.status, 0) << done.text;
    EXPECT_NE(done.text.find("after throwing std::out_of_range: too far"), std::string::npos)
        << done.text;
    EXPECT_EQ(WTERMSIG(victim.wait()), SIGABRT);
}

TEST(DumpEvents, EveryOneOfManyIsSeenAndShowingTakesNoDump) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), "--exception first --show --count 20");
    ASSERT_TRUE(watcher.begun());
    victim.tell("throw-many 20\n");
    const ShellOutput done = watcher.finish();
    EXPECT_EQ(done.status, 0) << done.text;
    std::size_t count = 0;
    for (std::size_t at = 0; (at = done.text.find("one of many", at)) != std::string::npos; ++at)
        ++count;
    EXPECT_EQ(count, 20U) << done.text;
    EXPECT_FALSE(std::filesystem::exists(scratch.file("dump.core")));
    EXPECT_EQ(victim.line(), "ok");
}

TEST(DumpEvents, SeveralDumpsOfOneSecondGetNamesOfTheirOwn) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), "--exception first --count 3");
    ASSERT_TRUE(watcher.begun());
    victim.tell("throw-many 3\n");
    const ShellOutput done = watcher.finish();
    EXPECT_EQ(done.status, 0) << done.text;
    for (const char* name : {"dump.core", "dump_2.core", "dump_3.core"})
        EXPECT_TRUE(std::filesystem::exists(scratch.file(name))) << name;
    EXPECT_EQ(victim.line(), "ok");
}

TEST(DumpEvents, LaunchedAndSeenFromItsBeginning) {
    const Scratch scratch;
    const std::string core = scratch.file("PROCESSNAME-EXCEPTIONCODE.core");
    const ShellOutput done =
        shell("echo 'throw runtime at once' | " + program() + " dump --exception first -o " + core +
              " --json -x " + target("events") + " -ma 2>/dev/null");
    ASSERT_EQ(done.status, 0) << done.text;
    EXPECT_NE(done.text.find("at once"), std::string::npos) << done.text;
    EXPECT_TRUE(std::filesystem::exists(scratch.file("events-std::runtime_error.core")))
        << done.text;
    const ShellOutput missing = shell(program() + " dump --exit -x /nowhere/at/all 2>&1");
    EXPECT_EQ(missing.status, 1);
    EXPECT_NE(missing.text.find("No such file"), std::string::npos) << missing.text;
}

/// Whoever of us is killed, the target goes on: no signal is left behind, no breakpoint.
TEST(DumpEvents, KilledAtAnyMomentTheTargetGoesOn) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("handle 10\n");
    ASSERT_EQ(victim.line(), "ok");
    int signals = 0;
    for (int round = 0; round < 12; ++round) {
        const pid_t watcher = ::fork();
        if (watcher == 0) {
            ::execl(program().c_str(), "icecore", "dump", std::to_string(victim.pid()).c_str(),
                    "--exception", "first", "--signal", "10", "--load", "--show", "--count",
                    "1000000", nullptr);
            ::_exit(127);
        }
        ASSERT_TRUE(eventually([&] { return statusValue(victim.pid(), "TracerPid") != "0"; }));
        // In the middle of a storm of events, later and later.
        victim.tell("throw-many 200\n");
        for (int i = 0; i < 5; ++i)
            signals += ::kill(victim.pid(), SIGUSR1) == 0 ? 1 : 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(round * 7));
        ::kill(watcher, SIGKILL);
        ::waitpid(watcher, nullptr, 0);
        ASSERT_EQ(victim.line(), "ok") << round;
        ASSERT_TRUE(eventually([&] { return statusValue(victim.pid(), "TracerPid") == "0"; }));
        victim.tell("throw-many 3\n");
        ASSERT_EQ(victim.line(), "ok") << round;
    }
    EXPECT_EQ(signals, 12 * 5);
    EXPECT_TRUE(victim.alive());
    EXPECT_EQ(statusValue(victim.pid(), "SigPnd"), "0000000000000000");
}

/// The process that traces the victim, and where there are breakpoints that one's heir.
pid_t tracerOf(const Victim& victim) {
    return static_cast<pid_t>(parseDecimal(statusValue(victim.pid(), "TracerPid")).value_or(0));
}

/// Starts a watcher that can be killed, and waits until everything is in place; -1 when it does not
/// come to that.
pid_t startWatcher(const Victim& victim, const std::string& log) {
    const pid_t watcher = ::fork();
    if (watcher == 0) {
        const int file = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
        if (file < 0) ::_exit(127);
        ::dup2(file, 2);
        ::execl(program().c_str(), "icecore", "dump", std::to_string(victim.pid()).c_str(),
                "--exception", "first", "--show", "--count", "1000000", nullptr);
        ::_exit(127);
    }
    const bool begun =
        eventually([&] { return readText(log).find("watching") != std::string::npos; });
    return begun ? watcher : -1;
}

/// Stops a process of one thread (SIGSTOP) between a breakpoint and its SIGTRAP: that one is
/// pending. A signal that is blocked when its delivery goes on is queued again, as what a tracer
/// has made of it.
bool stopWithATrapPending(pid_t pid) {
    int status = 0;
    const auto stopsFor = [&](int signal, int event) {
        return ::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
               WSTOPSIG(status) == signal && status >> 16 == event;
    };
    siginfo_t trap{};
    trap.si_signo = SIGTRAP;
    trap.si_code = TRAP_HWBKPT;
    std::uint64_t before = 0;
    const std::uint64_t blocked = std::uint64_t{1} << (SIGTRAP - 1);
    return ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0 &&
           ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0 &&
           stopsFor(SIGTRAP, PTRACE_EVENT_STOP) &&
           ::ptrace(PTRACE_GETSIGMASK, pid, sizeof before, &before) == 0 &&
           ::ptrace(PTRACE_SETSIGMASK, pid, sizeof blocked, &blocked) == 0 &&
           ::syscall(SYS_tgkill, pid, pid, SIGUSR1) == 0 &&
           ::ptrace(PTRACE_CONT, pid, nullptr, nullptr) == 0 && stopsFor(SIGUSR1, 0) &&
           ::ptrace(PTRACE_SETSIGINFO, pid, nullptr, &trap) == 0 && ::kill(pid, SIGSTOP) == 0 &&
           ::ptrace(PTRACE_CONT, pid, nullptr, SIGTRAP) == 0 && stopsFor(SIGSTOP, 0) &&
           ::ptrace(PTRACE_CONT, pid, nullptr, SIGSTOP) == 0 &&
           stopsFor(SIGSTOP, PTRACE_EVENT_STOP) &&
           ::ptrace(PTRACE_SETSIGMASK, pid, sizeof before, &before) == 0 &&
           ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr) == 0;
}

/// Between a breakpoint and its SIGTRAP a thread may make another stop, in which the breakpoint is
/// taken away: the SIGTRAP comes all the same.
TEST(DumpEvents, ABreakpointMetJustBeforeWeLeaveEndsNobody) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    ASSERT_TRUE(stopWithATrapPending(victim.pid()));
    EXPECT_EQ(statusValue(victim.pid(), "SigPnd"), "0000000000000010");
    const Scratch scratch;
    const pid_t watcher = startWatcher(victim, scratch.file("log"));
    ASSERT_GT(watcher, 0);
    ::kill(watcher, SIGKILL);
    ::waitpid(watcher, nullptr, 0);
    // Long enough to be gone by mistake.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ::kill(victim.pid(), SIGCONT);
    victim.tell("throw-many 3\n");
    ASSERT_EQ(victim.line(), "ok");
    EXPECT_TRUE(eventually([&] { return tracerOf(victim) == 0; }));
    EXPECT_TRUE(victim.alive());
}

TEST(DumpEvents, WatcherAndGuardianKilledAtOnceTheTargetGoesOn) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("park 8\n");
    ASSERT_EQ(victim.line(), "ok");
    for (int round = 0; round < 3; ++round) {
        const Scratch scratch;
        const pid_t watcher = startWatcher(victim, scratch.file("log"));
        ASSERT_GT(watcher, 0);
        victim.tell("throw-many 3\n");
        ASSERT_EQ(victim.line(), "ok");
        const pid_t guardian = tracerOf(victim);
        ASSERT_GT(guardian, 0);
        // Neither carries our name: "pkill icecore" means neither.
        EXPECT_EQ(readText("/proc/" + std::to_string(guardian) + "/cmdline").find("icecore"),
                  std::string::npos);
        ::kill(guardian, SIGKILL);
        ::kill(watcher, SIGKILL);
        ::waitpid(watcher, nullptr, 0);
        // The heir comes and goes.
        ASSERT_TRUE(eventually([&] {
            return tracerOf(victim) == 0 &&
                   !std::filesystem::exists("/proc/" + std::to_string(guardian));
        }));
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        ASSERT_TRUE(eventually([&] { return tracerOf(victim) == 0; }));
        victim.tell("throw-many 3\n");
        ASSERT_EQ(victim.line(), "ok") << "a breakpoint was left behind";
        victim.tell("thread-throw runtime in another thread\n");
        ASSERT_EQ(victim.line(), "ok");
    }
    EXPECT_TRUE(victim.alive());
}

TEST(DumpEvents, TheGuardianKilledAloneIsReplaced) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), "--exception first --filter after");
    ASSERT_TRUE(watcher.begun());
    const pid_t guardian = tracerOf(victim);
    ASSERT_GT(guardian, 0);
    ::kill(guardian, SIGKILL);
    ASSERT_TRUE(eventually([&] {
        const pid_t now = tracerOf(victim);
        return now != 0 && now != guardian &&
               readText("/proc/" + std::to_string(now) + "/comm") == "freeze-guard\n";
    }));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    victim.tell("throw runtime after all\n");
    const ShellOutput done = watcher.finish();
    EXPECT_EQ(done.status, 0) << done.text;
    EXPECT_EQ(victim.line(), "ok");
}

TEST(DumpEvents, ABlockedTrapStaysBlocked) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    Watcher watcher(scratch, victim.pid(), "--exception first");
    ASSERT_TRUE(watcher.begun());
    victim.tell("masked-throw quietly\n");
    EXPECT_EQ(watcher.finish().status, 0);
    EXPECT_EQ(victim.line(), "still blocked");
    EXPECT_EQ(victim.line(), "ok");
}

}  // namespace
}  // namespace icecore::tests
