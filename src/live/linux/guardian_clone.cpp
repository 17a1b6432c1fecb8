// The guardian: making the target clone itself, and taking the clone away again.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "live/linux/guardian_server.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

GuardianServer::Clone* GuardianServer::cloneOf(pid_t process) noexcept {
    const auto found = std::ranges::find(clones_, process, &Clone::id);
    return process == 0 || found == clones_.end() ? nullptr : &*found;
}

bool GuardianServer::anyClone() const noexcept {
    return std::ranges::any_of(clones_, [](const Clone& c) { return c.id != 0 && !c.ended; });
}

bool GuardianServer::noteClone(pid_t process, int status) noexcept {
    Clone* clone = cloneOf(process);
    if (clone == nullptr) return false;
    // Killed by someone: only to be reaped.
    if (!WIFSTOPPED(status)) clone->ended = true;
    return true;
}

GuardianReply GuardianServer::drop(pid_t clone) noexcept {
    serve();
    Clone* known = cloneOf(clone);
    return known == nullptr ? GuardianReply{} : dropClone(*known);
}

GuardianReply GuardianServer::dropClone(Clone& clone) noexcept {
    if (!clone.ended) {
        ::kill(clone.id, SIGKILL);
        int status = 0;
        while (::waitpid(clone.id, &status, __WALL) == clone.id && WIFSTOPPED(status)) {
        }
    }
    const Clone gone = clone;
    clone = Clone{};
    return reap(gone);
}

/// Takes in the clone's first stop; false when it does not come.
bool GuardianServer::waitChild(Clone& clone, std::int64_t deadline) noexcept {
    while (traced::now() < deadline) {
        int status = 0;
        const pid_t got = ::waitpid(-1, &status, __WALL | WNOHANG);
        if (got < 0 && errno == ECHILD) return false;
        if (got <= 0) {
            traced::sleepForChild(2'000'000);
            continue;
        }
        if (const std::uint32_t index = *slot(got); index != 0) {
            ThreadRecord& record = records_[index - 1];
            if (record.state == ThreadState::stuck) record.state = ThreadState::asked;
            if (note(record, status) && record.state == ThreadState::stopped) describe(record);
            continue;
        }
        if (noteClone(got, status)) continue;
        clone.id = got;
        if (WIFSTOPPED(status)) {
            // Should the guardian die, the clone dies with it.
            ::ptrace(PTRACE_SETOPTIONS, clone.id, 0, PTRACE_O_EXITKILL);
            return true;
        }
        clone.ended = true;
        return false;
    }
    return false;
}

seccomp::Verdict GuardianServer::seccompVerdict(
    pid_t thread, int number, std::span<const std::uint64_t> arguments) const noexcept {
    seccomp::Data data{};
    data.number = number;
    data.architecture = native::auditArch;
    data.instructionPointer = site_ + native::syscallInstruction.size();
    std::ranges::copy(arguments, data.arguments);
    return seccomp::verdict(thread, data);
}

GuardianReply GuardianServer::clone(std::uint64_t site) noexcept {
    ThreadRecord* chosen = nullptr;
    for (ThreadRecord& record : records()) {
        // Not one with a signal in hand: making it run would lose or deliver that.
        if (record.state != ThreadState::stopped || record.signal != 0 || !record.hasRegisters ||
            record.exiting)
            continue;
        if (traced::catchesSyscalls(record.id)) continue;
        chosen = &record;
        break;  // the leader comes first in the list, where it lives
    }
    if (chosen == nullptr) return {GuardianFailure::noThread, 0, 0};
    const auto free = std::ranges::find(clones_, 0, &Clone::id);
    if (free == clones_.end()) return {GuardianFailure::tooManyClones, 0, 0};
    if (site_ == 0) site_ = site;
    // CLONE_PTRACE: the child is ours from its birth, and never runs. CLONE_FILES: no descriptor
    // gets a second owner, so that what the target closes meanwhile is closed. No exit signal:
    // the target's SIGCHLD handler and plain wait() never learn of it. The stack is none: see
    // callRegisters.
    constexpr std::uint64_t cloneFlags =
        0x2000 | 0x400;  // CLONE_PTRACE | CLONE_FILES, linux/sched.h
    constexpr std::uint64_t nowhere = 16;
    const auto arguments = native::cloneArguments(cloneFlags, nowhere);
    if (const auto answer = seccompVerdict(chosen->id, SYS_clone, arguments);
        answer != seccomp::Verdict::allowed)
        return {GuardianFailure::seccomp, static_cast<std::int32_t>(answer), chosen->id};
    // And the one that takes the clone away again.
    if (const auto answer = seccompVerdict(chosen->id, SYS_wait4, {});
        answer != seccomp::Verdict::allowed)
        return {GuardianFailure::seccomp, static_cast<std::int32_t>(answer), chosen->id};
    traced::Call call{chosen->id, chosen->registers, chosen->blocked, site_,
                      SYS_clone,  arguments,         options()};
    const traced::CallOutcome outcome = traced::makeCall(call);
    if (outcome.end == traced::CallEnd::ended) {
        chosen->state = ThreadState::gone;
        return {GuardianFailure::gone, ESRCH, chosen->id};
    }
    if (outcome.end == traced::CallEnd::noSite) return {GuardianFailure::noSite, 0, chosen->id};
    if (outcome.end == traced::CallEnd::stuck) return {GuardianFailure::stuck, 0, chosen->id};
    if (outcome.result < 0)
        return {GuardianFailure::refused, static_cast<std::int32_t>(-outcome.result), chosen->id};
    free->inTarget = static_cast<std::uint64_t>(outcome.result);
    if (!waitChild(*free, traced::now() + 5'000'000'000)) return {GuardianFailure::stuck, 0, 0};
    return {GuardianFailure::none, 0, free->id};
}

GuardianReply GuardianServer::reapIn(pid_t thread, const Clone& clone) noexcept {
    ThreadRecord stranger{};
    stranger.id = thread;
    // One that is watched is ours already, and may stand still for an event of its own.
    const std::uint32_t known = watching_ ? *slot(thread) : 0;
    ThreadRecord& record = known != 0 ? records_[known - 1] : stranger;
    if (known == 0 && ::ptrace(PTRACE_SEIZE, thread, 0, options()) != 0)
        return {GuardianFailure::zombieLeft, errno, thread};
    // Then it goes on when its event has been dealt with, and not a moment earlier.
    const bool stood = record.state == ThreadState::stopped;
    if (!stood) {
        ::ptrace(PTRACE_INTERRUPT, thread, 0, 0);
        record.state = ThreadState::asked;
    }
    const std::int64_t deadline = traced::now() + 200'000'000;
    while (record.state == ThreadState::asked) {
        int status = 0;
        const pid_t got = ::waitpid(thread, &status, __WALL | WNOHANG);
        if (got < 0 && errno != EINTR) {
            record.state = ThreadState::gone;
            return {GuardianFailure::zombieLeft, ESRCH, thread};
        }
        if (got == thread) {
            note(record, status);
            continue;
        }
        if (traced::now() > deadline) {
            late_ = true;  // in the kernel; it is let go when it stops
            if (const std::uint32_t index = *slot(thread); index != 0)
                records_[index - 1].state = ThreadState::stuck;
            return {GuardianFailure::zombieLeft, EAGAIN, thread};
        }
        traced::sleepForChild(2'000'000);
    }
    if (record.state != ThreadState::stopped) return {GuardianFailure::zombieLeft, ESRCH, thread};
    GuardianReply reply{GuardianFailure::zombieLeft, EAGAIN, thread};
    const std::uint64_t arena = header_.arenaUsed;
    describe(record);
    header_.arenaUsed = arena;
    if (record.signal == 0 && record.hasRegisters && !record.exiting &&
        !traced::catchesSyscalls(thread)) {
        // The target may have become another program since (exec): then the place is another one.
        if (!traced::isSyscall(thread, site_)) site_ = traced::findSyscall(thread);
        const std::uint64_t arguments[] = {clone.inTarget, 0, __WCLONE | WNOHANG, 0};
        for (int attempt = 0; attempt < 50; ++attempt) {
            traced::Call call{thread,    record.registers, record.blocked, site_,
                              SYS_wait4, arguments,        options()};
            const traced::CallOutcome outcome = traced::makeCall(call);
            if (outcome.end == traced::CallEnd::ended) return {GuardianFailure::none, 0, 0};
            if (outcome.end != traced::CallEnd::done) break;
            if (outcome.result != 0) {  // reaped, or no such child any more
                reply = {};
                break;
            }
            traced::sleepForChild(1'000'000);
        }
    }
    if (!stood) letGo(record);
    return reply;
}

/// The ended clone is a child of the target until that has waited for it.
GuardianReply GuardianServer::reap(const Clone& clone) noexcept {
    GuardianReply reply{GuardianFailure::zombieLeft, 0, 0};
    const std::int64_t deadline = traced::now() + 3'000'000'000;
    do {
        reply = reapIn(setup_.target, clone);
        if (reply.failure == GuardianFailure::none) return reply;
        alignas(DirectoryEntry) char buffer[4096];
        ::lseek(setup_.taskDirectory, 0, SEEK_SET);
        const long bytes = ::syscall(SYS_getdents64, setup_.taskDirectory, buffer, sizeof buffer);
        if (bytes <= 0) return {};  // the target has ended: its children are init's now
        bool alive = false;
        for (long at = 0; at < bytes;) {
            const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
            at += entry->size;
            pid_t thread = 0;
            for (const char* c = entry->name; *c >= '0' && *c <= '9'; ++c)
                thread = thread * 10 + (*c - '0');
            if (thread == 0 || threadIsDead(thread)) continue;
            alive = true;
            if (thread == setup_.target) continue;
            reply = reapIn(thread, clone);
            if (reply.failure == GuardianFailure::none) return reply;
        }
        if (!alive) return {};
        traced::sleepForChild(20'000'000);
        serve();
    } while (traced::now() < deadline);
    return reply;
}

}  // namespace icecore::live
