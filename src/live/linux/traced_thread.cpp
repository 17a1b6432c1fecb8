#include "live/linux/traced_thread.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

namespace icecore::live::traced {

namespace {

/// Appends the decimal digits of `number` and returns the new end.
char* putNumber(char* to, std::uint64_t number) noexcept {
    char digits[20];
    int count = 0;
    do
        digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

/// "/proc/PID/NAME" without allocating.
int openProc(pid_t process, const char* name) noexcept {
    char path[64] = "/proc/";
    char* end = putNumber(path + 6, static_cast<std::uint64_t>(process));
    *end++ = '/';
    const std::size_t size = std::strlen(name) + 1;
    if (size > static_cast<std::size_t>(path + sizeof path - end)) return -1;
    std::memcpy(end, name, size);
    return ::open(path, O_RDONLY | O_CLOEXEC);
}

/// Waits for the thread's next stop; false when it ended or did not stop in time.
bool waitStop(pid_t thread, int& status, CallOutcome& outcome) noexcept {
    const std::int64_t deadline = now() + 10'000'000'000;
    for (;;) {
        const pid_t got = ::waitpid(thread, &status, __WALL | WNOHANG);
        if (got == thread) {
            if (WIFSTOPPED(status)) return true;
            outcome.end = CallEnd::ended;
            return false;
        }
        if (got < 0 && errno != EINTR) {
            outcome.end = CallEnd::ended;
            return false;
        }
        if (now() > deadline) return false;
        sleepForChild(2'000'000);
    }
}

/// Lets it run to the next entry into or exit from the kernel.
bool runToSyscallStop(pid_t thread, CallOutcome& outcome) noexcept {
    int pass = 0;
    for (;;) {
        int status = 0;
        if (::ptrace(PTRACE_SYSCALL, thread, 0, pass) != 0) {
            outcome.end = CallEnd::ended;
            return false;
        }
        if (!waitStop(thread, status, outcome)) return false;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return true;
        // Every signal is blocked but SIGSTOP, which may come in here: it takes effect, and the
        // group-stop it leads to is reported and passed over.
        pass = status >> 16 == 0 ? WSTOPSIG(status) : 0;
        if (pass != 0 && pass != SIGSTOP) return false;  // a fault: nothing we can account for
    }
}

/// Runs on until the pending interrupt stops it inside the kernel's signal code: only from there
/// does the kernel look again at whether a system call must be restarted.
bool runToEventStop(pid_t thread, CallOutcome& outcome) noexcept {
    ::ptrace(PTRACE_INTERRUPT, thread, 0, 0);
    int pass = 0;
    for (;;) {
        int status = 0;
        if (::ptrace(PTRACE_CONT, thread, 0, pass) != 0) {
            outcome.end = CallEnd::ended;
            return false;
        }
        if (!waitStop(thread, status, outcome)) return false;
        if (status >> 16 == PTRACE_EVENT_STOP) return true;
        pass = status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP ? SIGSTOP : 0;
    }
}

}  // namespace

std::int64_t now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void sleepForChild(std::int64_t nanoseconds) noexcept {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const timespec limit{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    ::sigtimedwait(&child, nullptr, &limit);
}

void keepOnly(int a, int b) noexcept {
    const unsigned low = static_cast<unsigned>(std::min(a, b));
    const unsigned high = static_cast<unsigned>(std::max(a, b));
    const auto closeRange = [](unsigned from, unsigned to) {
        if (from > to) return;
        if (::syscall(SYS_close_range, from, to, 0) == 0) return;
        for (unsigned fd = from; fd <= std::min(to, 4095U); ++fd)
            ::close(static_cast<int>(fd));
    };
    if (low > 0) closeRange(0, low - 1);
    closeRange(low + 1, high - 1);
    closeRange(high + 1, ~0U);
}

void nameProcess(const char* name) noexcept {
    ::prctl(PR_SET_NAME, name);
    // Fields 48 and 49 of /proc/self/stat say where our own arguments lie: proc(5).
    char text[1024];
    const int file = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : ::read(file, text, sizeof text - 1);
    if (file >= 0) ::close(file);
    if (got <= 0) return;
    text[got] = '\0';
    const char* at = std::strrchr(text, ')');
    constexpr int stateField = 3;
    constexpr int argumentsField = 48;
    for (int field = stateField - 1; at != nullptr && field < argumentsField; ++field) {
        at = std::strchr(at, ' ');
        if (at != nullptr) ++at;
    }
    if (at == nullptr) return;
    char* end = nullptr;
    constexpr int decimal = 10;
    const std::uint64_t begin = std::strtoull(at, &end, decimal);
    const std::uint64_t last = std::strtoull(end, nullptr, decimal);
    if (begin == 0 || last <= begin) return;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    char* arguments = reinterpret_cast<char*>(begin);
    const std::size_t room = last - begin;
    std::memset(arguments, 0, room);
    // The zeros end it. NOLINTNEXTLINE(bugprone-not-null-terminated-result)
    std::memcpy(arguments, name, std::min(std::strlen(name), room - 1));
}

char stateOf(int taskDirectory, pid_t thread) noexcept {
    char path[32];
    std::memcpy(putNumber(path, static_cast<std::uint64_t>(thread)), "/stat", sizeof "/stat");
    const int file = ::openat(taskDirectory, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[256];
    const ssize_t got = ::read(file, text, sizeof text);
    ::close(file);
    // "TID (NAME) S …"; a name may contain parentheses, so the last one counts.
    for (ssize_t i = got - 3; i >= 0; --i) {
        if (text[i] == ')') return text[i + 2];
    }
    return 0;
}

namespace {

/// Text of /proc/PID/status.
struct StatusText {
    char text[4096];
    bool there = false;

    explicit StatusText(pid_t process) noexcept {
        const int file = openProc(process, "status");
        ssize_t got = 0;
        if (file >= 0) {
            got = ::read(file, text, sizeof text - 1);
            ::close(file);
        }
        there = got > 0;
        text[std::max<ssize_t>(got, 0)] = '\0';
    }
    /// What stands behind "\nKEY:\t"; null when there is no such line.
    [[nodiscard]] const char* field(const char* line) const noexcept {
        const char* at = std::strstr(text, line);
        return at == nullptr ? nullptr : at + std::strlen(line);
    }
};

}  // namespace

int seccompMode(pid_t thread) noexcept {
    const StatusText status(thread);
    const char* mode = status.field("\nSeccomp:\t");
    if (mode == nullptr) return status.there ? 0 : 2;  // a kernel without seccomp has no such line
    return *mode - '0';
}

bool dispositions(pid_t process, std::uint64_t& caught, std::uint64_t& ignored) noexcept {
    const StatusText status(process);
    const char* ignores = status.field("\nSigIgn:\t");
    const char* catches = status.field("\nSigCgt:\t");
    if (ignores == nullptr || catches == nullptr) return false;
    constexpr int hexadecimal = 16;
    ignored = std::strtoull(ignores, nullptr, hexadecimal);
    caught = std::strtoull(catches, nullptr, hexadecimal);
    return true;
}

long statusField(pid_t process, const char* line) noexcept {
    const StatusText status(process);
    const char* value = status.field(line);
    constexpr int decimal = 10;
    return value == nullptr ? -1 : std::strtol(value, nullptr, decimal);
}

namespace {
/// Whether a process of this name traces the thread.
bool tracedBy(pid_t thread, std::string_view name) noexcept {
    const long tracer = statusField(thread, "\nTracerPid:\t");
    if (tracer <= 0) return false;
    const int file = openProc(static_cast<pid_t>(tracer), "comm");
    if (file < 0) return false;
    char text[32];
    const ssize_t got = ::read(file, text, sizeof text);
    ::close(file);
    // A newline stands behind it.
    return got > 0 && std::string_view(text, static_cast<std::size_t>(got) - 1) == name;
}
}  // namespace

bool heldByLateGuardian(pid_t thread) noexcept {
    return tracedBy(thread, lateGuardianName);
}

bool heldByGuardian(pid_t thread) noexcept {
    return tracedBy(thread, guardianName);
}

bool toEventStop(pid_t thread) noexcept {
    CallOutcome outcome;
    return runToEventStop(thread, outcome);
}

namespace {
/// Every pending signal of the thread itself, or of those that its process shares.
template <typename Visit>
void eachPending(pid_t thread, bool shared, Visit visit) noexcept {
    constexpr int batch = 16;
    siginfo_t signals[batch];
    // 64 signals: more than that many batches only repeat what is known.
    for (std::uint64_t at = 0; at < 64 * batch; at += batch) {
        __ptrace_peeksiginfo_args range{at, shared ? std::uint32_t{PTRACE_PEEKSIGINFO_SHARED} : 0U,
                                        batch};
        const long got = ::ptrace(PTRACE_PEEKSIGINFO, thread, &range, signals);
        for (long i = 0; i < got; ++i)
            visit(signals[i]);
        if (got < batch) break;
    }
}
}  // namespace

std::uint64_t pendingSignals(pid_t thread, bool shared) noexcept {
    std::uint64_t mask = 0;
    eachPending(thread, shared, [&](const siginfo_t& signal) {
        const int number = signal.si_signo;
        if (number >= 1 && number <= 64) mask |= std::uint64_t{1} << (number - 1);
    });
    return mask;
}

bool breakpointPending(pid_t thread) noexcept {
    bool pending = false;
    eachPending(thread, false, [&](const siginfo_t& signal) {
        pending |= signal.si_signo == SIGTRAP && signal.si_code == TRAP_HWBKPT;
    });
    if (!pending) return false;
    // One that the kernel has sent is never blocked.
    std::uint64_t blocked = 0;
    return ::ptrace(PTRACE_GETSIGMASK, thread, sizeof blocked, &blocked) != 0 ||
           (blocked >> (SIGTRAP - 1) & 1) == 0;
}

bool catchesSyscalls(pid_t thread) noexcept {
    // PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG and its structure, linux/ptrace.h since 6.4; older
    // kernels cannot tell. glibc's ptrace() takes only the requests that it knows.
    constexpr long request = 0x4211;
    struct {
        std::uint64_t mode, selector, offset, length;
    } dispatch{};
    return ::syscall(SYS_ptrace, request, thread, sizeof dispatch, &dispatch) == 0 &&
           dispatch.mode != 0;
}

bool isSyscall(pid_t thread, std::uint64_t address) noexcept {
    if (address == 0) return false;
    const int memory = openProc(thread, "mem");
    if (memory < 0) return false;
    std::array<std::byte, native::syscallInstruction.size()> bytes{};
    const ssize_t got = ::pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(address));
    ::close(memory);
    return got == static_cast<ssize_t>(bytes.size()) && bytes == native::syscallInstruction;
}

std::uint64_t findSyscall(pid_t process) noexcept {
    const int file = openProc(process, "auxv");
    if (file < 0) return 0;
    std::uint64_t entries[2 * 64];
    const ssize_t bytes = ::read(file, entries, sizeof entries);
    ::close(file);
    std::uint64_t vdso = 0;
    for (std::size_t i = 0; bytes > 0 && i + 1 < static_cast<std::size_t>(bytes) / 8; i += 2) {
        if (entries[i] == AT_SYSINFO_EHDR) vdso = entries[i + 1];
    }
    if (vdso == 0) return 0;
    const int memory = openProc(process, "mem");
    if (memory < 0) return 0;
    std::uint64_t found = 0;
    constexpr std::size_t step = native::syscallInstruction.size();
    std::byte page[4096];
    for (std::uint64_t at = vdso; found == 0 && at < vdso + 4 * sizeof page; at += sizeof page) {
        const ssize_t got = ::pread(memory, page, sizeof page, static_cast<off_t>(at));
        if (got <= 0) break;
        for (std::size_t i = at == vdso ? 64 : 0; i + step <= static_cast<std::size_t>(got); ++i) {
            if (std::equal(native::syscallInstruction.begin(), native::syscallInstruction.end(),
                           page + i)) {
                found = at + i;
                break;
            }
        }
    }
    ::close(memory);
    return found;
}

CallOutcome makeCall(const Call& call) noexcept {
    CallOutcome outcome;
    if (!isSyscall(call.thread, call.site)) return {CallEnd::noSite, 0};
    ::ptrace(PTRACE_SETOPTIONS, call.thread, 0, call.options | PTRACE_O_TRACESYSGOOD);
    const std::uint64_t everything = ~std::uint64_t{0};
    ::ptrace(PTRACE_SETSIGMASK, call.thread, sizeof everything, &everything);
    const native::RegisterSet registers =
        native::callRegisters(call.original, call.site, call.number, call.arguments);
    constexpr long restartNoInterrupt = 513;  // ERESTARTNOINTR: fork saw something pending
    bool made = false;
    for (int attempt = 0; attempt < 100; ++attempt) {
        native::RegisterSet after{};
        made = native::writeRegisters(call.thread, registers) &&
               runToSyscallStop(call.thread, outcome) && runToSyscallStop(call.thread, outcome) &&
               native::readRegisters(call.thread, after);
        if (!made) break;
        outcome.result = native::callResult(after);
        if (outcome.result != -restartNoInterrupt) break;
    }
    if (outcome.end == CallEnd::ended) return outcome;
    const bool back = runToEventStop(call.thread, outcome);
    if (outcome.end == CallEnd::ended) return outcome;
    ::ptrace(PTRACE_SETSIGMASK, call.thread, sizeof call.blocked, &call.blocked);
    native::writeRegisters(call.thread, call.original);
    outcome.end = made && back ? CallEnd::done : CallEnd::stuck;
    return outcome;
}

}  // namespace icecore::live::traced
