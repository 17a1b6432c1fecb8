// What the guardian (see guardian.h) and its owner share: one mapping and two small messages.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "live/linux/native.h"

namespace icecore::live {

enum class ThreadState : std::uint8_t {
    seized,   ///< traced, running
    asked,    ///< told to stop
    stopped,  ///< stands still, registers read
    stuck,    ///< did not stop in time: in the kernel, uninterruptibly
    held,     ///< stuck, and the guardian of an earlier capture waits for it: not ours to trace
    gone,     ///< ended while we looked
    dead,     ///< a leader that has ended before its threads: nothing to be stopped
};

/// Why a watching guardian keeps a thread still until its owner has looked.
enum class EventKind : std::uint8_t {
    none,
    signal,         ///< about to be delivered: `signal`
    breakpoint,     ///< at the address of `breakpoint`, before its instruction
    threadStarted,  ///< before its first instruction
    threadEnded,    ///< on its way out; the process goes on
    exiting,        ///< the process ends; its memory is still there
    replaced,       ///< exec: another program, before its first instruction
    output,         ///< it has written to its log stream, and is about to return from that call
};

/// What a watching guardian stops threads for.
struct WatchWishes {
    std::uint64_t signals = 0;  ///< as a bit mask, signal 1 is bit 0: whoever handles them
    bool deadly = false;        ///< any signal that is about to end the process
    bool exits = false;         ///< the end of the process
    bool threads = false;       ///< starts and ends of threads
    bool output = false;        ///< what it writes to its log stream: live::EventWishes::output
    /// Addresses of instructions; 0 unused. In debug registers, so that no byte of the target is
    /// changed.
    std::uint64_t breakpoints[native::breakpointCount] = {};
};

/// One thread of the target, filled in by the guardian while it stands still.
struct ThreadRecord {
    pid_t id = 0;
    ThreadState state = ThreadState::seized;
    bool hasRegisters = false;
    bool groupStopped = false;  ///< by SIGSTOP or another stop signal
    bool hasSignalInfo = false;
    bool repeat = false;   ///< we broke off its system call: it is to be made again
    bool running = false;  ///< had work in hand when it was about to be stopped
    bool is32bit = false;
    std::int32_t signal = 0;  ///< a fatal signal about to be delivered to it
    native::RegisterSet registers{};
    std::uint64_t extendedOffset = 0;  ///< of the floating-point and vector state in the arena
    std::uint32_t extendedSize = 0;
    std::uint64_t blocked = 0;  ///< signal sets as bit masks, signal 1 is bit 0
    std::uint64_t pending = 0;  ///< of this thread alone
    siginfo_t signalInfo{};     ///< of `signal`, or of `seen`
    // Only where a guardian watches.
    EventKind event = EventKind::none;
    bool told = false;     ///< the owner knows of the event
    bool deadly = false;   ///< `signal` is about to end the process
    bool fresh = false;    ///< a new thread that has not stopped for the first time yet
    bool exiting = false;  ///< in its last stop (PTRACE_EVENT_EXIT), or beyond
    std::uint8_t breakpoint = 0;
    std::int32_t seen = 0;    ///< a signal that only the tracer gets: SIGTRAP of a breakpoint
    std::int32_t status = 0;  ///< exiting: as wait() tells it
    std::uint32_t armed = 0;  ///< generation of the breakpoints it has
};

/// Bytes of room for one thread's vector state; only what is used costs memory. AMX needs 11 KiB.
inline constexpr std::size_t vectorStateRoom = 16384;

/// How many clones of one target there can be at a time.
inline constexpr std::size_t mostClones = 8;

/// Start of the shared mapping; records, a hash table and the arena follow at these offsets.
struct SharedHeader {
    std::uint32_t capacity = 0;  ///< of the records
    std::uint32_t count = 0;
    std::uint64_t tableOffset = 0;
    std::uint32_t tableSize = 0;  ///< a power of two
    std::uint64_t arenaOffset = 0, arenaSize = 0, arenaUsed = 0;
    std::uint64_t sharedPending = 0;             ///< signals pending for the process as a whole
    std::int64_t stoppedAt = 0, releasedAt = 0;  ///< CLOCK_MONOTONIC in nanoseconds; 0 not yet
    WatchWishes wishes;                          ///< written by the owner before `watch`
    std::int32_t exitStatus = -1;                ///< of the ended target; -1 unknown
};

enum class GuardianOp : std::uint8_t {
    freeze,
    clone,
    release,
    finish,  ///< of every capture; a watch goes on
    drop,    ///< of one clone; others stay
    watch,   ///< begin it, or put new breakpoints into effect
    next,    ///< wait for an event
    pass,    ///< let the thread of an event go on
    leave,   ///< the watch is over
};

struct GuardianRequest {
    GuardianOp op{};
    /// freeze, next: time-out in ms; clone: a syscall instruction or 0; drop: the clone; pass: a
    /// thread
    std::int64_t argument = 0;
};

enum class GuardianFailure : std::uint8_t {
    none,
    seize,          ///< a thread could not be seized: `error` says why
    gone,           ///< the target ended
    tooMany,        ///< more threads than records: try again with more
    tooManyClones,  ///< mostClones are being read already
    noThread,       ///< no thread is in a state to make the call
    noSite,         ///< no syscall instruction was found
    seccomp,        ///< a seccomp filter would not let it: `error` is a seccomp::Verdict
    refused,        ///< the kernel refused the call: `error` says why
    stuck,          ///< the call did not come back
    zombieLeft,     ///< the ended clone could not be collected
    breakpoint,     ///< no debug register was free: `error` says why
};

struct GuardianReply {
    GuardianFailure failure = GuardianFailure::none;
    std::int32_t error = 0;  ///< errno; next: the index of the thread's record
    pid_t id = 0;  ///< freeze: the thread that failed; clone: the child; next: the thread, or 0
};

struct GuardianSetup {
    pid_t target = 0;
    int taskDirectory = -1;  ///< /proc/TARGET/task
    int socket = -1;
    std::uint64_t handledSignals = 0;  ///< caught or ignored: not fatal
    std::byte* shared = nullptr;       ///< begins with a SharedHeader
};

/// The guardian's whole life; never returns. Runs right after fork in a process whose other
/// threads are gone: it neither allocates nor locks.
[[noreturn]] void runGuardian(const GuardianSetup& setup) noexcept;

}  // namespace icecore::live
