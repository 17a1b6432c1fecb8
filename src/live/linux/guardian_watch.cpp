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

#include "live/linux/guardian_server.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

constexpr std::int64_t millisecond = 1'000'000;
/// How long threads wait that somebody else's exit_group or exec has ended, so that they are there
/// when that one stops. An exec does not come before they are gone.
constexpr std::int64_t sweptWait = 100 * millisecond;

}  // namespace

long GuardianServer::options() const noexcept {
    if (!watching_) return 0;
    long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (header_.wishes.exits || header_.wishes.threads) options |= PTRACE_O_TRACEEXIT;
    if (header_.wishes.output) options |= PTRACE_O_TRACESYSGOOD;
    return options;
}

bool GuardianServer::ours(pid_t thread) const noexcept {
    return traced::statusField(thread, "\nTracerPid:\t") == ::getpid();
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
    if (!native::setBreakpoints(record.id, header_.wishes.breakpoints)) {
        if (errno != ESRCH) armError_ = errno;
        return;
    }
    // The SIGTRAP of a breakpoint that has just been taken away would end the process if nobody
    // were there for it: the thread is at rest only once that has come.
    if (!traced::breakpointPending(record.id)) record.armed = generation_;
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
        runOn(record.id, record.signal);
    record.event = EventKind::none;
    record.told = record.deadly = record.repeat = record.groupStopped = false;
    record.signal = record.seen = 0;
    record.hasSignalInfo = false;
    record.state = ThreadState::seized;
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
            if (errno == ECHILD) ended_ = true;
            break;
        }
        if (info.si_pid == 0) break;
        const pid_t thread = info.si_pid;
        if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
            if (cloneOf(thread) != nullptr) {
                int status = 0;
                ::waitpid(thread, &status, __WALL | WNOHANG);
                continue;
            }
            dispatchStop(thread, info.si_status << 8 | 0x7f);
            continue;
        }
        int status = 0;
        if (::waitpid(thread, &status, __WALL | WNOHANG) != thread) continue;
        if (noteClone(thread, status)) continue;
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
        if (header_.wishes.output && pidfd_ < 0)
            pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, setup_.target, 0));
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
    // Whose output is watched has to stop once, too, so as to run on from system call to system
    // call.
    if (!any && generation_ == 0 && !header_.wishes.output) return {};
    if (any) appointHeir();
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
    if (ended_) dismissHeir();
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
    dismissHeir();
    return {};
}

}  // namespace icecore::live
