// What a watching guardian makes of one stop of a thread: it stays, because somebody has asked for
// this, or it runs on at once.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "live/linux/guardian_server.h"
#include "live/linux/log_stream.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

constexpr std::uint64_t maskOf(int signal) {
    return std::uint64_t{1} << (signal - 1);
}

/// Signals whose default action is to do nothing: signal(7).
constexpr std::uint64_t ignoredByDefault =
    maskOf(SIGCHLD) | maskOf(SIGCONT) | maskOf(SIGURG) | maskOf(SIGWINCH);

}  // namespace

void GuardianServer::runOn(pid_t thread, int signal) const noexcept {
    ::ptrace(header_.wishes.output ? PTRACE_SYSCALL : PTRACE_CONT, thread, 0, signal);
}

/// Whoever stops for something else forgets that it was asked to stop (ptrace_stop in
/// kernel/signal.c: "any trap clears pending STOP trap"). Before signals it does not come to that:
/// being asked comes first.
void GuardianServer::askAgain(const ThreadRecord& record) noexcept {
    if (record.state == ThreadState::asked || record.state == ThreadState::stuck)
        ::ptrace(PTRACE_INTERRUPT, record.id, 0, 0);
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

bool GuardianServer::noteWatched(ThreadRecord& record, int signal, int event) noexcept {
    switch (event) {
    case 0: return signal == (SIGTRAP | 0x80) ? noteCall(record) : noteSignal(record, signal);
    case PTRACE_EVENT_EXIT: return noteExit(record);
    case PTRACE_EVENT_EXEC: return noteExec(record);
    default:
        // The parent of a new thread: the thread tells of itself.
        arm(record);
        askAgain(record);
        runOn(record.id, 0);
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
    runOn(record.id, signal);
    return false;
}

/// At the entry to or the exit from a system call.
bool GuardianServer::noteCall(ThreadRecord& record) noexcept {
    native::RegisterSet registers{};
    if (!leavesCall(record.id) || !native::readRegisters(record.id, registers) ||
        !writesToLog(record.id, pidfd_, registers)) {
        arm(record);
        askAgain(record);
        runOn(record.id, 0);
        return false;
    }
    // On the way back to its program nothing of the call is left to be done again.
    if (!traced::toEventStop(record.id)) {
        record.state = ThreadState::gone;
        return true;
    }
    record.state = ThreadState::stopped;
    record.event = EventKind::output;
    return true;
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
        runOn(record.id, 0);
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

}  // namespace icecore::live
