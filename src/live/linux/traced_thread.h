// What is done to one traced thread. For the guardian: nothing here allocates or locks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "live/linux/native.h"

namespace icecore::live::traced {

/// CLOCK_MONOTONIC in nanoseconds.
std::int64_t now() noexcept;
/// Sleeps until a child or traced thread changes state, at most `nanoseconds`. SIGCHLD must be
/// blocked.
void sleepForChild(std::int64_t nanoseconds) noexcept;
/// Closes every descriptor but these two.
void keepOnly(int a, int b) noexcept;

/// What this process is called from now on, in lists by name and by command line: who ends icecore
/// by name does not mean those that clean up behind it.
void nameProcess(const char* name) noexcept;

/// R S D T t Z X of a thread; 0 when it is not there.
char stateOf(int taskDirectory, pid_t thread) noexcept;
/// SECCOMP_MODE_… of a thread: 0 none, 1 strict, 2 filters (also when that cannot be seen).
int seccompMode(pid_t thread) noexcept;
/// Pending signals as a mask: of the thread itself, or those shared by its process.
std::uint64_t pendingSignals(pid_t thread, bool shared) noexcept;
/// Whether a stopped thread has met a breakpoint whose SIGTRAP it has not got yet: another stop
/// may come between the two.
bool breakpointPending(pid_t thread) noexcept;

/// Whether the thread has the kernel turn its system calls into SIGSYS (Syscall User Dispatch, as
/// Wine uses it): a call of ours would then kill it.
bool catchesSyscalls(pid_t thread) noexcept;

/// Whether a syscall instruction stands at `address`.
bool isSyscall(pid_t thread, std::uint64_t address) noexcept;
/// Address of a syscall instruction in the vdso of a process, or 0. It need not be traced.
std::uint64_t findSyscall(pid_t process) noexcept;

struct Call {
    pid_t thread = 0;  ///< in a PTRACE_EVENT_STOP
    const native::RegisterSet& original;
    std::uint64_t blocked = 0;  ///< its signal mask
    std::uint64_t site = 0;     ///< where a syscall instruction stands
    long number = 0;
    std::span<const std::uint64_t> arguments;
    long options = 0;  ///< PTRACE_O_… that it has and keeps
};
enum class CallEnd : std::uint8_t {
    done,
    ended,   ///< the thread ended meanwhile (SIGKILL)
    noSite,  ///< there is no syscall instruction
    stuck,   ///< it does not come back, or could not be made
};
struct CallOutcome {
    CallEnd end = CallEnd::stuck;
    long result = 0;
};
/// Has the thread make a system call; afterwards it is in a PTRACE_EVENT_STOP again with the
/// registers and the signal mask it had, so that the call it was in when it was stopped goes on
/// as if nothing had been. Signals that arrive meanwhile stay pending.
CallOutcome makeCall(const Call& call) noexcept;

/// Brings a thread from another stop, whose signal is forgotten, into a PTRACE_EVENT_STOP at the
/// very same place. False when it has ended.
bool toEventStop(pid_t thread) noexcept;

/// Signals that the process catches and those that it ignores, as masks; false when that cannot be
/// seen.
bool dispositions(pid_t process, std::uint64_t& caught, std::uint64_t& ignored) noexcept;
/// What a guardian calls itself that only waits for threads to come out of the kernel.
inline constexpr char lateGuardianName[] = "freeze-late";
/// Whether such a one traces the thread.
bool heldByLateGuardian(pid_t thread) noexcept;
/// What a guardian calls itself while it works.
inline constexpr char guardianName[] = "freeze-guard";
/// Whether one that works traces the thread.
bool heldByGuardian(pid_t thread) noexcept;
/// The number behind "\nKEY:\t" in /proc/PID/status; -1 when it is not there.
long statusField(pid_t process, const char* line) noexcept;

}  // namespace icecore::live::traced
