// Who cannot be frozen, and which check says so; who cannot be cloned, and what is done instead.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>

#include "live/linux/frozen_process_test.h"
#include "live/linux/proc.h"
#include "live/linux/target.h"

namespace icecore::live {
namespace {

using testing::HasSubstr;
using tests::Victim;

constexpr uid_t nobody = 65534;
constexpr DumpType mini{0, false};

#define NEEDS_ROOT() \
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else"

Error refusedBy(pid_t pid, SnapshotMode mode = SnapshotMode::automatic) {
    const auto result = tryFreeze(pid, mode, mini);
    EXPECT_FALSE(result.has_value());
    return result ? Error{} : result.error();
}

/// A child process of this very program that runs `body`, which may write a line and may return.
class Child {
public:
    explicit Child(const std::function<void(int output)>& body) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            body(ends[1]);
            ::_exit(0);
        }
        ::close(ends[1]);
        output_ = ends[0];
    }
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::close(output_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Everything it writes until it ends or closes.
    [[nodiscard]] std::string output() const {
        std::string text;
        char buffer[4096];
        ssize_t got = 0;
        while ((got = ::read(output_, buffer, sizeof buffer)) > 0)
            text.append(buffer, static_cast<std::size_t>(got));
        return text;
    }

private:
    pid_t pid_ = -1;
    int output_ = -1;
};

void say(int output, const std::string& text) {
    (void)!::write(output, text.data(), text.size());
}

/// What freeze says in a process that has become `user`.
std::string saidAs(uid_t user, pid_t target, const std::function<void()>& before = {}) {
    Child child([&](int output) {
        if (before) before();
        if (user != 0 && (::setgid(user) != 0 || ::setuid(user) != 0)) return;
        const auto result = tryFreeze(target, SnapshotMode::automatic, mini);
        say(output,
            result ? "frozen"
                   : std::string(toString(result.error().code)) + ": " + result.error().describe());
    });
    return child.output();
}

TEST(Refusal, NoSuchProcess) {
    EXPECT_EQ(refusedBy(0).code, Errc::not_found);
    const auto largest = parseDecimal(trim(tests::readText("/proc/sys/kernel/pid_max")));
    EXPECT_EQ(refusedBy(static_cast<pid_t>(largest.value_or(0))).code, Errc::not_found);
    SilentProgress progress;
    EXPECT_FALSE(freeze(UINT64_MAX, CaptureOptions{}, progress).has_value());
    EXPECT_FALSE(freeze(std::uint64_t{1} << 32 | 1, CaptureOptions{}, progress).has_value());
}

TEST(Refusal, Ourselves) {
    EXPECT_EQ(refusedBy(::getpid()).code, Errc::usage);
}

TEST(Refusal, AThreadIsNoProcess) {
    Victim victim("capture_threads", {"named"});
    ASSERT_TRUE(victim.until("ready"));
    const Error error = refusedBy(static_cast<pid_t>(victim.number("tid")));
    EXPECT_EQ(error.code, Errc::usage);
    EXPECT_THAT(error.describe(), HasSubstr(fmt::format("a thread of process {}", victim.pid())));
}

TEST(Refusal, AKernelThread) {
    for (const std::uint64_t pid : numbersIn("/proc")) {
        const auto stat = parseStat(readProcOrEmpty(procPath(static_cast<pid_t>(pid), "stat")));
        if (!stat || !stat->kernelThread()) continue;
        const Error error = refusedBy(static_cast<pid_t>(pid));
        EXPECT_EQ(error.code, Errc::unsupported);
        EXPECT_THAT(error.describe(), HasSubstr("kernel thread"));
        return;
    }
    GTEST_SKIP() << "no kernel threads are seen in this PID namespace";
}

TEST(Refusal, AZombie) {
    Child child([](int) {});
    ASSERT_TRUE(tests::eventually(
        [&] { return tests::statusValue(child.pid(), "State").starts_with('Z'); }));
    const Error error = refusedBy(child.pid());
    EXPECT_EQ(error.code, Errc::target_gone);
    EXPECT_THAT(error.describe(), HasSubstr("zombie"));
    EXPECT_THAT(error.describe(), HasSubstr(fmt::format("pid {} (", ::getpid())));
}

TEST(Refusal, OneThatIsTracedAlready) {
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_EQ(::ptrace(PTRACE_SEIZE, victim.pid(), 0, 0), 0);
    const Error error = refusedBy(victim.pid());
    EXPECT_EQ(error.code, Errc::busy);
    const std::string name(trim(tests::readText("/proc/self/comm")));
    EXPECT_THAT(error.describe(),
                HasSubstr(fmt::format("already traced by pid {} ({})", ::getpid(), name)));
    // And its tracer has not lost it.
    EXPECT_EQ(tests::statusValue(victim.pid(), "TracerPid"), std::to_string(::getpid()));
}

TEST(Refusal, AnotherUsersProcess) {
    if (::geteuid() != 0) {
        const Error error = refusedBy(1);
        EXPECT_EQ(error.code, Errc::permission);
        EXPECT_THAT(error.describe(), HasSubstr("belongs to user"));
        return;
    }
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    const std::string said = saidAs(nobody, victim.pid());
    EXPECT_THAT(said, HasSubstr("permission: not permitted: it belongs to user root (uid 0)"));
    EXPECT_THAT(said, HasSubstr("has no CAP_SYS_PTRACE"));
    EXPECT_TRUE(victim.alive());
}

TEST(Refusal, OneThatIsNotDumpable) {
    NEEDS_ROOT();
    // Changing the user makes a process undumpable: prctl(2).
    Child target([](int output) {
        if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return;
        say(output, "ready");
        ::close(output);
        for (;;)
            ::pause();
    });
    ASSERT_EQ(target.output(), "ready");
    const std::string said = saidAs(nobody, target.pid());
    EXPECT_THAT(said, HasSubstr("permission: not permitted: it is not dumpable"));
    // Root may.
    EXPECT_NE(frozen(target.pid(), SnapshotMode::automatic, mini), nullptr);
}

TEST(Refusal, OneInAnotherUserNamespace) {
    NEEDS_ROOT();
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    bool unshared = true;
    const std::string said = saidAs(0, victim.pid(), [&] {
        unshared = ::unshare(CLONE_NEWUSER) == 0;
        if (!unshared) ::_exit(0);
    });
    if (said.empty()) GTEST_SKIP() << "user namespaces are not allowed here";
    EXPECT_THAT(said, HasSubstr("permission: not permitted: it lives in another user namespace"));
}

// Many kernels come without Yama: what each of its settings means is asked directly.
TEST(Refusal, WhatEachSettingOfYamaForbids) {
    for (const std::string_view allowed : {"", "0\n", "nonsense"})
        EXPECT_FALSE(yamaRefusal(allowed).has_value()) << allowed;
    const std::pair<std::string_view, std::string_view> settings[] = {
        {"1\n", "only its own children"}, {"2\n", "CAP_SYS_PTRACE"}, {"3\n", "next boot"}};
    for (const auto& [setting, meaning] : settings) {
        const auto said = yamaRefusal(setting);
        ASSERT_TRUE(said.has_value()) << setting;
        EXPECT_THAT(*said, HasSubstr(fmt::format("ptrace_scope={}", trim(setting))));
        EXPECT_THAT(*said, HasSubstr(std::string(meaning)));
    }
}

TEST(Refusal, YamaForSomebodyElsesChild) {
    NEEDS_ROOT();
    const auto scope =
        parseDecimal(trim(tests::readText("/proc/sys/kernel/yama/ptrace_scope"))).value_or(0);
    if (scope == 0) GTEST_SKIP() << "this kernel has no Yama, or it is off";
    Child target([](int output) {
        if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return;
        ::prctl(PR_SET_DUMPABLE, 1);
        say(output, "ready");
        ::close(output);
        for (;;)
            ::pause();
    });
    ASSERT_EQ(target.output(), "ready");
    EXPECT_THAT(saidAs(nobody, target.pid()),
                HasSubstr(fmt::format("kernel.yama.ptrace_scope={}", scope)));
}

/// A 32-bit program that only sleeps: an ELF32 header, one segment, and pause() for ever.
std::vector<unsigned char> program32() {
    constexpr std::uint32_t base = 0x08048000, headers = 52 + 32;
    const std::vector<unsigned char> code = {0xb8, 29,   0, 0, 0,  // mov eax, __NR_pause
                                             0xcd, 0x80,           // int 0x80
                                             0xeb, 0xf7};          // again
    std::vector<unsigned char> file = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    file.resize(16);
    const auto half = [&](std::uint32_t value) {
        file.push_back(static_cast<unsigned char>(value));
        file.push_back(static_cast<unsigned char>(value >> 8));
    };
    const auto word = [&](std::uint32_t value) {
        half(value & 0xffff);
        half(value >> 16);
    };
    const std::uint32_t size = headers + static_cast<std::uint32_t>(code.size());
    half(2), half(3), word(1);                         // an executable for the 386
    word(base + headers), word(52), word(0), word(0);  // entry, program headers
    half(52), half(32), half(1), half(40), half(0), half(0);
    word(1), word(0), word(base), word(base), word(size), word(size), word(5), word(0x1000);
    file.insert(file.end(), code.begin(), code.end());
    return file;
}

TEST(Refusal, AProcessOf32Bits) {
    std::string path = testing::TempDir() + "icecore_32_XXXXXX";
    const int file = ::mkstemp(path.data());
    ASSERT_GE(file, 0);
    const auto content = program32();
    ASSERT_EQ(::write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    ::fchmod(file, 0700);
    ::close(file);
    {
        Child child([&](int) { ::execl(path.c_str(), path.c_str(), nullptr); });
        const auto running = [&] {
            return readLink(procPath(child.pid(), "exe")) == path &&
                   tests::statusValue(child.pid(), "State").starts_with('S');
        };
        const auto ended = [&] {
            return tests::statusValue(child.pid(), "State").starts_with('Z');
        };
        EXPECT_TRUE(tests::eventually([&] { return running() || ended(); }));
        if (running()) {
            const Error error = refusedBy(child.pid());
            EXPECT_EQ(error.code, Errc::unsupported);
            EXPECT_THAT(error.describe(), HasSubstr("is a 32-bit process"));
            EXPECT_EQ(tests::statusValue(child.pid(), "TracerPid"), "0");
            EXPECT_TRUE(tests::eventually(running)) << "it goes on";
        }
        ::unlink(path.c_str());
        if (ended()) GTEST_SKIP() << "this kernel runs no 32-bit programs";
    }
}

TEST(Refusal, CancelledBeforeAnythingIsDone) {
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    SilentProgress progress;
    progress.cancel();
    const auto result =
        freeze(static_cast<std::uint64_t>(victim.pid()), CaptureOptions{}, progress);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::cancelled);
    EXPECT_EQ(tests::statusValue(victim.pid(), "TracerPid"), "0");
}

/// Falls back to stop and says why; and in mode clone says it as an error. The target lives.
void expectNoClone(pid_t pid, const std::string& why) {
    {
        const auto process = frozen(pid, SnapshotMode::automatic, everything);
        ASSERT_NE(process, nullptr);
        EXPECT_EQ(process->mode(), SnapshotMode::stop);
        EXPECT_THAT(process->fallbackReason(), HasSubstr(why));
        EXPECT_GT(readPlan(*process), 0U);
    }
    const Error error = refusedBy(pid, SnapshotMode::clone);
    EXPECT_EQ(error.code, Errc::unsupported);
    EXPECT_THAT(error.describe(), HasSubstr("cannot be cloned"));
    EXPECT_THAT(error.describe(), HasSubstr(why));
    EXPECT_EQ(tests::statusValue(pid, "TracerPid"), "0");
    EXPECT_TRUE(tests::childrenOf(pid).empty());
}

bool seesFilters() {
    return ::geteuid() == 0;
}

TEST(NoClone, ASeccompFilterThatRefuses) {
    Victim victim("capture_state", {"seccomp", std::to_string(SECCOMP_RET_ERRNO | EPERM)});
    ASSERT_TRUE(victim.until("ready"));
    expectNoClone(victim.pid(), seesFilters() ? "seccomp filter refuses clone" : "seccomp");
    victim.closeInput();
    EXPECT_EQ(victim.line(), "ok");
}

// Just trying would be the end of it.
TEST(NoClone, ASeccompFilterThatKills) {
    for (const unsigned action : {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP}) {
        Victim victim("capture_state", {"seccomp", std::to_string(action)});
        ASSERT_TRUE(victim.until("ready"));
        expectNoClone(victim.pid(), seesFilters() ? "would kill it" : "seccomp");
        victim.closeInput();
        EXPECT_EQ(victim.line(), "ok");
    }
}

TEST(NoClone, ASeccompFilterThatAllowsIsNoObstacle) {
    if (!seesFilters()) GTEST_SKIP() << "needs root (CAP_SYS_ADMIN) to look into seccomp filters";
    Victim victim("capture_state", {"seccomp", std::to_string(SECCOMP_RET_ALLOW)});
    ASSERT_TRUE(victim.until("ready"));
    const auto process = frozen(victim.pid(), SnapshotMode::automatic, mini);
    ASSERT_NE(process, nullptr);
    EXPECT_EQ(process->mode(), SnapshotMode::clone) << process->fallbackReason();
}

TEST(NoClone, SyscallUserDispatch) {
    Victim victim("capture_state", {"dispatch"});
    if (victim.line() != "ready") GTEST_SKIP() << "this kernel has no syscall user dispatch";
    expectNoClone(victim.pid(), "none of its threads is free");
    victim.closeInput();
    EXPECT_EQ(victim.line(), "ok");
}

TEST(NoClone, TheLimitOfProcesses) {
    NEEDS_ROOT();  // who is exempt himself, but can set it for another
    Child target([](int output) {
        const rlimit none{0, 0};
        if (::setrlimit(RLIMIT_NPROC, &none) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0)
            return;
        say(output, "ready");
        ::close(output);
        for (;;)
            ::pause();
    });
    ASSERT_EQ(target.output(), "ready");
    expectNoClone(target.pid(), "RLIMIT_NPROC");
}

// The signal comes between seizing and stopping, which takes a while with many threads.
TEST(Crash, OneThatIsAboutToDieIsCaughtInTheAct) {
    for (int attempt = 0; attempt < 30; ++attempt) {
        Victim victim("capture_threads", {"many", "400"});
        ASSERT_TRUE(victim.until("ready"));
        // The capture may be over before the killer has seen it: then this attempt was in vain.
        std::atomic<bool> over = false;
        std::thread killer([&] {
            while (!over && tests::statusValue(victim.pid(), "TracerPid") == "0")
                std::this_thread::yield();
            ::kill(victim.pid(), SIGSEGV);
        });
        auto process = tryFreeze(victim.pid(), SnapshotMode::automatic, mini);
        over = true;
        killer.join();
        if (process && (*process)->snapshot().process->exception) {
            const Process& model = *(*process)->snapshot().process;
            EXPECT_EQ(model.exception->code, static_cast<std::uint32_t>(SIGSEGV));
            EXPECT_EQ(model.exception->signalCode, SI_USER);
            EXPECT_EQ(model.exception->sender, static_cast<std::uint64_t>(::getpid()));
            EXPECT_FALSE(model.exception->faultAddress.has_value());
            EXPECT_EQ(model.exception->rawSignalInfo.size(), 128U);
            const Thread* thread = model.thread(model.exception->threadId);
            ASSERT_NE(thread, nullptr);
            EXPECT_EQ(thread->currentSignal, SIGSEGV);
            process->reset();
            // The signal was not taken from it.
            const int status = victim.wait();
            EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
            return;
        }
    }
    FAIL() << "the moment was never met";
}

TEST(FindProcesses, ByCommandAndByFileName) {
    Victim victim("capture_memory", {"plain", "resident", "1"});
    ASSERT_TRUE(victim.until("ready"));
    const auto isThere = [&](std::string_view name) {
        for (const ProcessName& process : findProcesses(name)) {
            if (process.pid != static_cast<std::uint64_t>(victim.pid())) continue;
            EXPECT_EQ(process.name, "capture_memory");
            EXPECT_TRUE(process.executable.ends_with("/capture_memory"));
            EXPECT_TRUE(process.commandLine.ends_with("plain resident 1")) << process.commandLine;
            return true;
        }
        return false;
    };
    EXPECT_TRUE(isThere("capture_memory"));
    EXPECT_FALSE(isThere("capture_memor"));
    EXPECT_FALSE(isThere(""));
    // A name longer than the 15 characters of comm.
    Victim threads("capture_threads", {"many", "0"});
    ASSERT_TRUE(threads.until("ready"));
    EXPECT_FALSE(findProcesses("capture_threads").empty());
    for (const ProcessName& process :
         findProcesses(std::string(trim(tests::readText("/proc/self/comm")))))
        EXPECT_NE(process.pid, static_cast<std::uint64_t>(::getpid()));
}

}  // namespace
}  // namespace icecore::live
