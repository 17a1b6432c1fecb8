// The guardian that watches: threads stop for what the owner has asked for, and for nothing else.
//
// What makes the target safe from our own end: no byte of it is changed (breakpoints are debug
// registers), PTRACE_O_EXITKILL is never set on it, and a stop that nobody waits for is only looked
// at (WNOWAIT), not taken in: a signal whose stop has not been taken in is delivered by the kernel
// when the tracer dies, one that has been is lost with it.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "live/linux/guardian_server.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

constexpr std::uint64_t maskOf(int signal) {
    return std::uint64_t{1} << (signal - 1);
}
constexpr std::int64_t millisecond = 1'000'000;
/// How long threads wait that somebody else's exit_group or exec has ended, so that they are there
/// when that one stops. An exec does not come before they are gone.
constexpr std::int64_t sweptWait = 100 * millisecond;

/// Signals whose default action is to do nothing: signal(7).
constexpr std::uint64_t ignoredByDefault =
    maskOf(SIGCHLD) | maskOf(SIGCONT) | maskOf(SIGURG) | maskOf(SIGWINCH);

}  // namespace

long GuardianServer::options() const noexcept {
    if (!watching_) return 0;
    long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (header_.wishes.exits || header_.wishes.threads) options |= PTRACE_O_TRACEEXIT;
    return options;
}

bool GuardianServer::ours(pid_t thread) const noexcept {
    return traced::statusField(thread, "\nTracerPid:\t") == ::getpid();
}

bool GuardianServer::lastAlive(const ThreadRecord& record) const noexcept {
    return std::ranges::none_of(std::span(records_, header_.count), [&](const ThreadRecord& other) {
        return other.id != record.id && !other.exiting && other.state != ThreadState::gone &&
               other.state != ThreadState::dead;
    });
}

/// What is caught and ignored changes while it runs.
void GuardianServer::refreshHandled(pid_t thread) noexcept {
    std::uint64_t caught = 0;
    if (traced::dispositions(thread, caught, ignored_)) handled_ = caught | ignored_;
}

/// Records of threads that have ended make room.
void GuardianServer::dropGone() noexcept {
    const auto all = records();
    const auto kept = std::remove_if(all.begin(), all.end(), [](const ThreadRecord& record) {
        return record.state == ThreadState::gone;
    });
    header_.count = static_cast<std::uint32_t>(kept - all.begin());
    std::fill_n(table_, header_.tableSize, 0U);
    for (std::uint32_t i = 0; i < header_.count; ++i)
        *slot(records_[i].id) = i + 1;
}

void GuardianServer::arm(ThreadRecord& record) noexcept {
    if (record.armed == generation_ || record.exiting) return;
    if (native::setBreakpoints(record.id, header_.wishes.breakpoints))
        record.armed = generation_;
    else if (errno != ESRCH)
        armError_ = errno;
}

void GuardianServer::resume(ThreadRecord& record) noexcept {
    arm(record);
    if (record.repeat) {
        native::RegisterSet again = record.registers;
        native::repeatCall(again);
        native::writeRegisters(record.id, again);
    }
    // Whom SIGSTOP has stopped stays so, and stays ours.
    if (record.groupStopped)
        ::ptrace(PTRACE_LISTEN, record.id, 0, 0);
    else
        ::ptrace(PTRACE_CONT, record.id, 0, record.signal);
    record.event = EventKind::none;
    record.told = record.deadly = record.repeat = record.groupStopped = false;
    record.signal = record.seen = 0;
    record.hasSignalInfo = false;
    record.state = ThreadState::seized;
}

bool GuardianServer::noteWatched(ThreadRecord& record, int signal, int event) noexcept {
    switch (event) {
    case 0: return noteSignal(record, signal);
    case PTRACE_EVENT_EXIT: return noteExit(record);
    case PTRACE_EVENT_EXEC: return noteExec(record);
    default:
        // The parent of a new thread: the thread tells of itself.
        arm(record);
        ::ptrace(PTRACE_CONT, record.id, 0, 0);
        return false;
    }
}

bool GuardianServer::noteSignal(ThreadRecord& record, int signal) noexcept {
    const WatchWishes& wishes = header_.wishes;
    siginfo_t info{};
    const bool known = ::ptrace(PTRACE_GETSIGINFO, record.id, 0, &info) == 0;
    if (known && signal == SIGTRAP && info.si_code == TRAP_HWBKPT) {
        record.signalInfo = info;
        return noteBreakpoint(record);
    }
    refreshHandled(record.id);
    const bool deadly = fatal(signal);
    const bool wished = (wishes.signals & maskOf(signal)) != 0 || (wishes.deadly && deadly);
    // One that is about to die in the middle of a capture is kept as it is, asked for or not.
    if (wished || (deadly && holding_)) {
        record.signal = signal;
        record.signalInfo = info;
        record.hasSignalInfo = known;
        record.deadly = deadly;
        record.state = ThreadState::stopped;
        if (wished) record.event = EventKind::signal;
        return true;
    }
    arm(record);
    // Without a tracer the kernel would not even have woken it for a signal that is ignored; with
    // one, system calls such as epoll_wait are broken off by it.
    const bool ignored = (ignored_ & maskOf(signal)) != 0 ||
                         ((ignoredByDefault & maskOf(signal)) != 0 && !(handled_ & maskOf(signal)));
    if (ignored) {
        ThreadRecord now{};
        now.id = record.id;
        readState(now);
        if (now.repeat) {
            native::repeatCall(now.registers);
            native::writeRegisters(record.id, now.registers);
        }
    }
    // It is delivered now. Where we have asked for a stop, that comes right behind, at the first
    // instruction of its handler: so no signal is ever held back or lost.
    ::ptrace(PTRACE_CONT, record.id, 0, signal);
    return false;
}

bool GuardianServer::noteBreakpoint(ThreadRecord& record) const noexcept {
    const int met = native::metBreakpoint(record.id);
    // The SIGTRAP was ours. In a PTRACE_EVENT_STOP it is forgotten, whatever becomes of us, and the
    // thread can make a system call (a clone of itself).
    if (!traced::toEventStop(record.id)) {
        record.state = ThreadState::gone;
        return true;
    }
    // The kernel takes SIGTRAP out of the mask of a thread that has it blocked (force_sig in
    // kernel/signal.c). Who blocks all its siblings had blocked it, too.
    constexpr std::uint64_t siblings =
        maskOf(SIGSEGV) | maskOf(SIGBUS) | maskOf(SIGILL) | maskOf(SIGFPE);
    std::uint64_t blocked = 0;
    if (::ptrace(PTRACE_GETSIGMASK, record.id, sizeof blocked, &blocked) == 0 &&
        (blocked & siblings) == siblings) {
        blocked |= maskOf(SIGTRAP);
        ::ptrace(PTRACE_SETSIGMASK, record.id, sizeof blocked, &blocked);
    }
    record.state = ThreadState::stopped;
    const auto& breakpoints = header_.wishes.breakpoints;
    const bool wished = met >= 0 && breakpoints[met] != 0 && record.armed == generation_;
    if (wished) {
        record.event = EventKind::breakpoint;
        record.breakpoint = static_cast<std::uint8_t>(met);
        record.seen = SIGTRAP;
        record.hasSignalInfo = true;
    }
    return true;
}

bool GuardianServer::noteExit(ThreadRecord& record) noexcept {
    unsigned long status = 0;
    ::ptrace(PTRACE_GETEVENTMSG, record.id, 0, &status);
    record.exiting = true;
    record.status = static_cast<std::int32_t>(status);
    record.hasRegisters = native::readRegisters(record.id, record.registers);
    const long call = record.hasRegisters ? native::currentCall(record.registers) : -1;
    const bool alone = call == SYS_exit && (status & 0x7f) == 0 && !lastAlive(record);
    const bool wished = alone ? header_.wishes.threads : header_.wishes.exits;
    if (!wished && !holding_) {
        ::ptrace(PTRACE_CONT, record.id, 0, 0);
        return false;
    }
    record.state = ThreadState::stopped;
    if (!wished) return true;
    if (alone) {
        record.event = EventKind::threadEnded;
        return true;
    }
    const bool swept = call != SYS_exit_group && call != SYS_exit && (status & 0x7f) == 0;
    if (!exitSeen_ && !swept) {
        exitSeen_ = true;
        record.event = EventKind::exiting;
    } else if (sweptSince_ == 0) {
        // Somebody else has ended the process (or execs): that one will stop in a moment, and this
        // thread shall still be there.
        sweptSince_ = traced::now();
    }
    return true;
}

bool GuardianServer::noteExec(ThreadRecord& record) noexcept {
    // All other threads are gone, and the one that called exec has the leader's number now.
    for (ThreadRecord& other : records()) {
        if (other.id != record.id) other.state = ThreadState::gone;
    }
    sweptSince_ = 0;
    exitSeen_ = false;
    for (std::uint64_t& address : header_.wishes.breakpoints)
        address = 0;
    record.armed = generation_;  // exec has emptied its debug registers
    record.exiting = record.fresh = false;
    if (!traced::toEventStop(record.id)) {
        record.state = ThreadState::gone;
        return true;
    }
    record.state = ThreadState::stopped;
    record.event = EventKind::replaced;
    return true;
}

void GuardianServer::dispatchStop(pid_t thread, int status) noexcept {
    if (*slot(thread) == 0) {
        // A new thread, or a new process (clone without an exit signal), which is none of ours.
        const bool other = traced::statusField(thread, "\nTgid:\t") != setup_.target;
        if (!other && header_.count == header_.capacity) dropGone();
        ThreadRecord* record = other ? nullptr : addRecord(thread);
        if (record == nullptr) {
            ::ptrace(PTRACE_DETACH, thread, 0, status >> 16 == 0 ? WSTOPSIG(status) : 0);
            return;
        }
        record->fresh = true;
    }
    ThreadRecord& record = records_[*slot(thread) - 1];
    const bool asked = record.state == ThreadState::asked;
    if (note(record, status)) {
        // It stays: only now is its stop taken in.
        int taken = 0;
        ::waitpid(thread, &taken, __WALL | WNOHANG);
        if (record.state == ThreadState::stopped && record.event == EventKind::none && !holding_ &&
            !record.exiting) {
            readState(record);
            resume(record);
        } else if (record.state == ThreadState::stopped && !record.exiting) {
            readState(record);
        }
    } else {
        record.state = asked ? ThreadState::asked : ThreadState::seized;
    }
}

void GuardianServer::dispatch() noexcept {
    for (;;) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0) {
            if (errno == EINTR) continue;
            if (errno == ECHILD && child_ == 0) ended_ = true;
            break;
        }
        if (info.si_pid == 0) break;
        const pid_t thread = info.si_pid;
        if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
            if (thread == child_) {
                int status = 0;
                ::waitpid(thread, &status, __WALL | WNOHANG);
                continue;
            }
            dispatchStop(thread, info.si_status << 8 | 0x7f);
            continue;
        }
        int status = 0;
        if (::waitpid(thread, &status, __WALL | WNOHANG) != thread) continue;
        if (thread == child_) {
            child_ = -child_;  // killed by someone: only to be reaped
            continue;
        }
        if (const std::uint32_t index = *slot(thread); index != 0)
            records_[index - 1].state = ThreadState::gone;
        if (thread == setup_.target) {
            ended_ = true;
            header_.exitStatus = status;
        }
    }
    if (late_) late_ = anyLate();
    letSweptGo(false);
}

/// Threads that somebody else's end has ended go on to their own, once that has been told of or
/// does not come.
void GuardianServer::letSweptGo(bool now) noexcept {
    if (sweptSince_ == 0 || holding_) return;
    const bool told = std::ranges::any_of(
        records(), [](const ThreadRecord& r) { return r.event == EventKind::exiting; });
    if (!now && (told || traced::now() - sweptSince_ < sweptWait)) return;
    sweptSince_ = 0;
    for (ThreadRecord& record : records()) {
        if (record.state == ThreadState::stopped && record.exiting &&
            record.event == EventKind::none)
            resume(record);
    }
}

/// Has every running thread stop for a moment, so that it gets the breakpoints.
void GuardianServer::rearmAll(std::int64_t deadline) noexcept {
    const auto behind = [&](const ThreadRecord& record) {
        return record.armed != generation_ && !record.exiting &&
               (record.state == ThreadState::seized || record.state == ThreadState::asked ||
                record.state == ThreadState::stuck);
    };
    for (ThreadRecord& record : records()) {
        if (!behind(record) || record.state != ThreadState::seized) continue;
        record.state = ::ptrace(PTRACE_INTERRUPT, record.id, 0, 0) == 0 ? ThreadState::asked
                                                                        : ThreadState::gone;
    }
    for (;;) {
        dispatch();
        if (ended_ || armError_ != 0 || std::ranges::none_of(records(), behind)) return;
        if (traced::now() > deadline) return;
        traced::sleepForChild(2 * millisecond);
    }
}

GuardianReply GuardianServer::watch() noexcept {
    constexpr std::int64_t patience = 2000 * millisecond;
    if (!watching_) {
        watching_ = true;
        // Until a whole list names nobody new: from then on new threads are ours from their birth.
        int quiet = 0;
        const std::int64_t deadline = traced::now() + patience;
        while (quiet < 2 && traced::now() < deadline) {
            std::uint32_t found = 0;
            if (const auto reply = seizeNew(found); reply.failure != GuardianFailure::none)
                return reply;
            quiet = found == 0 && listedAll_ ? quiet + 1 : 0;
            dispatch();
        }
        if (header_.count == 0) return {GuardianFailure::gone, ESRCH, setup_.target};
    }
    const bool any = std::ranges::any_of(header_.wishes.breakpoints,
                                         [](std::uint64_t address) { return address != 0; });
    if (!any && generation_ == 0) return {};
    ++generation_;
    armError_ = 0;
    rearmAll(traced::now() + patience);
    if (armError_ != 0) return {GuardianFailure::breakpoint, armError_, 0};
    return {};
}

GuardianReply GuardianServer::next(std::int64_t timeoutMs) noexcept {
    const std::int64_t deadline = traced::now() + timeoutMs * millisecond;
    for (;;) {
        dispatch();
        for (std::uint32_t i = 0; i < header_.count; ++i) {
            ThreadRecord& record = records_[i];
            if (record.state != ThreadState::stopped || record.event == EventKind::none) continue;
            record.told = true;
            return {GuardianFailure::none, static_cast<std::int32_t>(i), record.id};
        }
        if (ended_) return {GuardianFailure::gone, ESRCH, setup_.target};
        const std::int64_t left = deadline - traced::now();
        if (left <= 0) return {};
        traced::sleepForChild(sweptSince_ != 0 ? std::min(left, sweptWait / 4) : left);
    }
}

GuardianReply GuardianServer::pass(pid_t thread) noexcept {
    if (const std::uint32_t index = *slot(thread); index != 0) {
        ThreadRecord& record = records_[index - 1];
        const bool last = record.event == EventKind::exiting;
        if (record.state == ThreadState::stopped && record.told) resume(record);
        if (last) letSweptGo(true);
    }
    return {};
}

GuardianReply GuardianServer::leave() noexcept {
    if (!watching_ || ended_) return {};
    header_.wishes = WatchWishes{};
    for (ThreadRecord& record : records()) {
        if (record.state == ThreadState::stopped) resume(record);
    }
    if (generation_ == 0) return {};
    // Debug registers would outlive us, and the first breakpoint met without a tracer ends the
    // process: nobody leaves before every thread is rid of them, however long one sits in the
    // kernel.
    ++generation_;
    while (!ended_ && std::ranges::any_of(records(), [&](const ThreadRecord& record) {
        return record.armed != generation_ && !record.exiting &&
               record.state != ThreadState::gone && record.state != ThreadState::dead;
    })) {
        rearmAll(traced::now() + 1000 * millisecond);
        for (ThreadRecord& record : records()) {
            // Gone by the kernel's word, without a farewell (exec by another thread).
            if (record.armed != generation_ && threadIsDead(record.id))
                record.state = ThreadState::gone;
        }
    }
    generation_ = 0;
    for (ThreadRecord& record : records())
        record.armed = 0;
    return {};
}

}  // namespace icecore::live
