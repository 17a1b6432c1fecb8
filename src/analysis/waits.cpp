#include "analysis/waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "analysis/skip_rules.h"
#include "analysis/windows_waits.h"
#include "base/text.h"

namespace icecore {

namespace {

enum class WaitKind : std::uint8_t { other, mutex, join, section, object };

struct WaitRow {
    std::string_view function;
    std::string_view text;
    WaitKind kind = WaitKind::other;
};
// The outermost run-time function is meant: a condition variable waits through a futex, and the
// futex alone tells nothing.
constexpr auto waitTable = std::to_array<WaitRow>({
    {"*pthread_mutex_lock*", "waiting for a mutex", WaitKind::mutex},
    {"*pthread_mutex_timedlock*", "waiting for a mutex", WaitKind::mutex},
    {"*pthread_mutex_clocklock*", "waiting for a mutex", WaitKind::mutex},
    {"__lll_lock_wait*", "waiting for a lock", WaitKind::mutex},
    {"lll_mutex_lock*", "waiting for a mutex", WaitKind::mutex},
    {"*pthread_cond_*wait*", "waiting on a condition variable"},
    {"std::condition_variable*::wait*", "waiting on a condition variable"},
    {"*pthread_rwlock_*lock*", "waiting for a read-write lock"},
    {"*pthread_barrier_wait*", "waiting at a barrier"},
    {"*pthread_join*", "waiting for a thread to end", WaitKind::join},
    {"*pthread_timedjoin*", "waiting for a thread to end", WaitKind::join},
    {"*pthread_clockjoin*", "waiting for a thread to end", WaitKind::join},
    {"*sem_*wait*", "waiting for a semaphore"},
    {"*new_sem_wait*", "waiting for a semaphore"},
    {"std::*::wait*", "waiting in the C++ library"},
    {"epoll_*wait*", "waiting for file descriptors (epoll)"},
    {"*poll", "waiting for file descriptors (poll)"},
    {"__poll*", "waiting for file descriptors (poll)"},
    {"select", "waiting for file descriptors (select)"},
    {"__select*", "waiting for file descriptors (select)"},
    {"pselect*", "waiting for file descriptors (select)"},
    {"io_getevents*", "waiting for asynchronous input and output"},
    {"io_uring_*", "waiting for asynchronous input and output"},
    {"accept*", "waiting for a connection"},
    {"__libc_accept*", "waiting for a connection"},
    {"connect", "connecting"},
    {"recv*", "receiving from a socket"},
    {"__libc_recv*", "receiving from a socket"},
    {"send*", "sending to a socket"},
    {"read*", "reading"},
    {"__read*", "reading"},
    {"__GI___libc_read*", "reading"},
    {"__libc_read*", "reading"},
    {"pread*", "reading"},
    {"write*", "writing"},
    {"__write*", "writing"},
    {"__GI___libc_write*", "writing"},
    {"__libc_write*", "writing"},
    {"pwrite*", "writing"},
    {"fsync", "flushing a file"},
    {"fdatasync", "flushing a file"},
    {"flock", "waiting for a file lock"},
    {"*nanosleep*", "sleeping"},
    {"usleep", "sleeping"},
    {"sleep", "sleeping"},
    {"__sleep*", "sleeping"},
    {"wait4", "waiting for a child process"},
    {"waitpid", "waiting for a child process"},
    {"__waitpid*", "waiting for a child process"},
    {"waitid", "waiting for a child process"},
    {"*sigwait*", "waiting for a signal"},
    {"*sigtimedwait*", "waiting for a signal"},
    {"*sigsuspend*", "waiting for a signal"},
    {"pause", "waiting for a signal"},
    {"__libc_pause", "waiting for a signal"},
    {"msgrcv", "waiting for a message"},
    {"mq_*receive", "waiting for a message"},
    {"sem*op", "waiting for a System V semaphore"},
    {"*futex_*wait*", "waiting on a futex"},
    // Of Windows.
    {"*EnterCriticalSection*", "waiting for a critical section", WaitKind::section},
    {"RtlpWaitForCriticalSection", "waiting for a critical section", WaitKind::section},
    {"*AcquireSRWLock*", "waiting for a slim reader/writer lock"},
    {"*SleepConditionVariable*", "waiting on a condition variable"},
    {"*WaitOnAddress", "waiting for a value in memory to change"},
    {"*WaitForSingleObject*", "waiting for an object", WaitKind::object},
    {"*SignalObjectAndWait*", "waiting for an object", WaitKind::object},
    {"*WaitForMultipleObjects*", "waiting for one of several objects"},
    {"*WaitForWorkViaWorkerFactory", "idle in a thread pool"},
    {"*RemoveIoCompletion*", "waiting for input or output to complete"},
    {"GetQueuedCompletionStatus*", "waiting for input or output to complete"},
    {"*GetMessage*", "waiting for a window message"},
    {"*UserWaitMessage", "waiting for a window message"},
    {"*MsgWaitForMultipleObjects*", "waiting for a window message"},
    {"*DelayExecution", "sleeping"},
    {"Sleep*", "sleeping"},
    {"*WaitForAlertByThreadId", "waiting to be woken"},
    {"*ReplyWaitReceivePort*", "waiting for a message of another process"},
});

const WaitRow* waitOf(const NamedStack& stack) {
    const WaitRow* found = nullptr;
    constexpr std::size_t deepest = 12;
    for (std::size_t i = 0; i < std::min(stack.frames.size(), deepest); ++i) {
        const NamedFrame& frame = stack.frames[i];
        if (frame.trust == Trust::scan || frame.signalFrame) break;
        // Only run-time code speaks for itself: a program's own read() is something else.
        if (!whyNotResponsible(frame)) break;
        for (const WaitRow& row : waitTable) {
            if (!matchesWildcard(frame.function, row.function, false)) continue;
            // What stands further out knows more, but for the general words of the C++ library.
            if (found == nullptr || !row.function.starts_with("std::*")) found = &row;
            break;
        }
    }
    return found;
}

/// The futex a thread waits on, when it stands right behind the system call that says so.
struct FutexWait {
    std::uint64_t address = 0;
    std::uint32_t expected = 0;
};
std::optional<FutexWait> futexWait(const CrashCase& crash, const Registers& registers) {
    if (crash.arch() != Arch::x86_64) return std::nullopt;
    constexpr std::uint64_t futexCall = 202;  // Linux, x86-64
    std::array<std::byte, 2> before{};
    const std::uint64_t pc = registers.pc();
    if (pc < 2 || crash.memory->read(pc - 2, before).bytes != 2) return std::nullopt;
    const bool inSystemCall = before[0] == std::byte{0x0f} && before[1] == std::byte{0x05};
    if (!inSystemCall || registers.get(x64::orig_rax) != futexCall) return std::nullopt;
    // FUTEX_WAIT (0), FUTEX_LOCK_PI (6), FUTEX_WAIT_BITSET (9), FUTEX_LOCK_PI2 (13); flags above.
    const std::uint64_t operation = registers.valueOr0(x64::rsi) & 0x7f;
    if (operation != 0 && operation != 6 && operation != 9 && operation != 13) return std::nullopt;
    if (!registers.has(x64::rdi) || !registers.has(x64::rdx)) return std::nullopt;
    return FutexWait{registers.valueOr0(x64::rdi),
                     static_cast<std::uint32_t>(registers.valueOr0(x64::rdx))};
}

/// pthread_mutex_t of glibc on 64-bit systems begins with int __lock, unsigned __count, int __owner
/// (a thread id), unsigned __nusers, int __kind (sysdeps/nptl/bits/struct_mutex.h). The futex that
/// a lock waits on is __lock itself.
void readMutex(const CrashCase& crash, const Thread& thread, const FutexWait& wait, Activity& out) {
    const auto lock = crash.process.memory->readInteger<std::uint32_t>(wait.address);
    const auto owner = crash.process.memory->readInteger<std::uint32_t>(wait.address + 8);
    const auto kind = crash.process.memory->readInteger<std::uint32_t>(wait.address + 16);
    if (!lock || !owner || !kind || *lock == 0 || *owner == 0) return;
    constexpr std::uint32_t knownKinds = 0x1ff;  // type, robust, priority, shared, elision
    if ((*kind & ~knownKinds) != 0) return;
    if (crash.process.thread(*owner) == nullptr) return;  // an id of another namespace, or no mutex
    out.mutex = wait.address;
    out.waitsFor = *owner;
    out.evidence = fmt::format("{} waits for the mutex at {}, whose owner is {}",
                               threadText(crash.process, thread.id), hex(wait.address),
                               threadText(crash.process, *owner));
}

}  // namespace

Activity activityOf(const CrashCase& crash, const Thread& thread, const NamedStack& stack) {
    Activity out;
    const WaitRow* wait = waitOf(stack);
    if (wait == nullptr) {
        if (thread.state == 'R') out.text = "running";
        if (thread.state == 'D') out.text = "in the kernel, not to be interrupted";
        return out;
    }
    out.text = wait->text;
    out.waits = true;
    if (!thread.context) return out;
    if (wait->kind == WaitKind::section) {
        findCriticalSection(crash, thread, stack, out);
        return out;
    }
    if (wait->kind == WaitKind::object) {
        findMutex(crash, thread, stack, out);
        return out;
    }
    const auto futex = futexWait(crash, thread.context->registers);
    if (!futex) return out;
    if (wait->kind == WaitKind::mutex) {
        readMutex(crash, thread, *futex, out);
        if (out.waitsFor) out.text += " held by " + threadText(crash.process, *out.waitsFor);
    } else if (wait->kind == WaitKind::join && crash.process.thread(futex->expected) != nullptr) {
        // pthread_join waits until the kernel clears the thread's id, which is the futex.
        const auto current = crash.process.memory->readInteger<std::uint32_t>(futex->address);
        if (current && *current == futex->expected) {
            out.waitsFor = futex->expected;
            out.text =
                fmt::format("waiting for {} to end", threadText(crash.process, *out.waitsFor));
            out.evidence = fmt::format(
                "{} waits for {} to end (futex at {})", threadText(crash.process, thread.id),
                threadText(crash.process, *out.waitsFor), hex(futex->address));
        }
    }
    return out;
}

std::vector<std::vector<std::size_t>> findDeadlocks(const Process& process,
                                                    const std::vector<Activity>& activities) {
    std::map<std::uint64_t, std::size_t> byId;
    for (std::size_t i = 0; i < process.threads.size(); ++i)
        byId.emplace(process.threads[i].id, i);
    const std::size_t none = activities.size();
    const auto next = [&](std::size_t i) {
        if (!activities[i].waitsFor) return none;
        const auto found = byId.find(*activities[i].waitsFor);
        return found == byId.end() || found->second >= none ? none : found->second;
    };
    std::vector<std::vector<std::size_t>> circles;
    std::vector<std::size_t> visit(activities.size(), 0);  // 0: not yet; else the walk that came by
    for (std::size_t start = 0; start < activities.size(); ++start) {
        const std::size_t walk = start + 1;
        std::size_t at = start;
        while (at != none && visit[at] == 0) {
            visit[at] = walk;
            at = next(at);
        }
        if (at == none || visit[at] != walk) continue;  // an end, or known from an earlier walk
        std::vector<std::size_t> circle;
        for (std::size_t member = at;;) {
            circle.push_back(member);
            member = next(member);
            if (member == at) break;
        }
        const auto smallest = std::ranges::min_element(
            circle, {}, [&](std::size_t i) { return process.threads[i].id; });
        std::ranges::rotate(circle, smallest);
        circles.push_back(std::move(circle));
    }
    return circles;
}

std::vector<ThreadGroup> groupThreads(const std::vector<NamedStack>& stacks,
                                      const std::vector<Activity>& activities) {
    std::map<std::vector<std::uint64_t>, std::size_t> known;
    std::vector<ThreadGroup> groups;
    for (std::size_t i = 0; i < stacks.size(); ++i) {
        std::vector<std::uint64_t> key;
        key.reserve(stacks[i].stack.frames.size());
        for (const Frame& frame : stacks[i].stack.frames)
            key.push_back(frame.pc);
        const auto [at, fresh] = known.emplace(std::move(key), groups.size());
        if (fresh) groups.emplace_back();
        ThreadGroup& group = groups[at->second];
        if (fresh) group.activity = activities[i].text;
        // Same place, different partners: say only what holds for all.
        if (group.activity != activities[i].text) {
            const auto held = group.activity.find(" held by ");
            group.activity.resize(std::min(held, group.activity.size()));
            if (!activities[i].text.starts_with(group.activity)) group.activity.clear();
        }
        group.members.push_back(i);
    }
    std::ranges::stable_sort(groups, std::ranges::greater{},
                             [](const ThreadGroup& group) { return group.members.size(); });
    return groups;
}

}  // namespace icecore
