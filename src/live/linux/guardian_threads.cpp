// The guardian: finding, stopping, describing and letting go threads.
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "live/linux/guardian_server.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

bool GuardianServer::ownerGone() const noexcept {
    pollfd owner{setup_.socket, 0, 0};
    return ::poll(&owner, 1, 0) > 0 && (owner.revents & (POLLHUP | POLLERR)) != 0;
}

bool GuardianServer::threadIsDead(pid_t thread) const noexcept {
    const char state = traced::stateOf(setup_.taskDirectory, thread);
    return state == 'Z' || state == 'X' || state == 0;
}

/// Where `thread` stands in the hash table, or the free place for it.
std::uint32_t* GuardianServer::slot(pid_t thread) noexcept {
    const std::uint32_t mask = header_.tableSize - 1;
    std::uint32_t at = static_cast<std::uint32_t>(thread) * 2654435761U & mask;
    while (table_[at] != 0 && records_[table_[at] - 1].id != thread)
        at = (at + 1) & mask;
    return &table_[at];
}

/// Whether delivering `signal` would end the process: its default action, see signal(7).
bool GuardianServer::fatal(int signal) const noexcept {
    if ((handled_ >> (signal - 1) & 1U) != 0) return false;
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return false;
    default: return true;
    }
}

ThreadRecord* GuardianServer::addRecord(pid_t thread) noexcept {
    if (header_.count == header_.capacity) return nullptr;
    ThreadRecord& record = records_[header_.count++];
    record = ThreadRecord{};
    record.id = thread;
    *slot(thread) = header_.count;
    return &record;
}

GuardianReply GuardianServer::seizeOne(pid_t thread, std::uint32_t& found) noexcept {
    if (*slot(thread) != 0) return {};
    ThreadState state = ThreadState::seized;
    bool fresh = false;
    if (::ptrace(PTRACE_SEIZE, thread, 0, options()) != 0) {
        const int error = errno;
        if (error == ESRCH) return {};  // ended meanwhile: thread churn
        if (threadIsDead(thread)) {
            if (thread != setup_.target) return {};
            state = ThreadState::dead;
        } else if (watching_ && ours(thread)) {
            // Seized at its birth; its first stop is on its way.
            state = ThreadState::asked;
            fresh = true;
        } else if (error == EPERM && traced::heldByLateGuardian(thread)) {
            state = ThreadState::held;
        } else {
            return {GuardianFailure::seize, error, thread};
        }
    }
    ThreadRecord* record = addRecord(thread);
    // It stays seized until the guardian ends, which is at once.
    if (record == nullptr) return {GuardianFailure::tooMany, 0, thread};
    record->state = state;
    record->fresh = fresh;
    if (state != ThreadState::dead && state != ThreadState::held) ++found;
    return {};
}

/// How many threads the kernel counts: the links of /proc/PID/task, less "." and "..".
std::uint64_t GuardianServer::threadCount() const noexcept {
    struct stat task{};
    return ::fstat(setup_.taskDirectory, &task) == 0 && task.st_nlink > 2 ? task.st_nlink - 2 : 0;
}

/// Seizes whom the list of threads names and we do not have yet. A thread that ends while the list
/// stands at it cuts the list short (next_tid in fs/proc/base.c), so `listedAll_` says whether as
/// many were named as there were before and after.
GuardianReply GuardianServer::seizeNew(std::uint32_t& found) noexcept {
    const std::uint64_t before = threadCount();
    std::uint64_t listed = 0;
    alignas(DirectoryEntry) char buffer[16384];
    ::lseek(setup_.taskDirectory, 0, SEEK_SET);
    for (;;) {
        const long bytes = ::syscall(SYS_getdents64, setup_.taskDirectory, buffer, sizeof buffer);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes <= 0) {
            // An ended process lists nothing.
            listedAll_ = listed == before && listed == threadCount();
            return {};
        }
        for (long at = 0; at < bytes;) {
            const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
            at += entry->size;
            pid_t thread = 0;
            for (const char* c = entry->name; *c >= '0' && *c <= '9'; ++c)
                thread = thread * 10 + (*c - '0');
            if (thread == 0) continue;
            ++listed;
            if (const auto reply = seizeOne(thread, found); reply.failure != GuardianFailure::none)
                return reply;
        }
    }
}

/// Notes of each thread that is to be stopped whether it has work in hand.
void GuardianServer::markRunning() noexcept {
    for (ThreadRecord& record : records()) {
        if (record.state == ThreadState::seized)
            record.running = traced::stateOf(setup_.taskDirectory, record.id) == 'R';
    }
}

/// Tells those to stop that are `running`, or those that are not.
void GuardianServer::ask(bool running) noexcept {
    for (ThreadRecord& record : records()) {
        if (record.state != ThreadState::seized || record.running != running) continue;
        if (header_.stoppedAt == 0) header_.stoppedAt = traced::now();
        record.state = ::ptrace(PTRACE_INTERRUPT, record.id, 0, 0) == 0 ? ThreadState::asked
                                                                        : ThreadState::gone;
    }
}

/// One event of a thread. True when it now stands still (or is gone).
bool GuardianServer::note(ThreadRecord& record, int status) noexcept {
    if (!WIFSTOPPED(status)) {
        record.state = ThreadState::gone;
        return true;
    }
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_STOP) {
        record.groupStopped = signal != SIGTRAP;
        record.state = ThreadState::stopped;
        if (record.fresh && watching_ && header_.wishes.threads)
            record.event = EventKind::threadStarted;
        record.fresh = false;
        return true;
    }
    if (watching_) return noteWatched(record, signal, event);
    if (event == 0 && fatal(signal)) {
        // It is about to die of this. Kept as it is: this very moment is what people want to see.
        record.signal = signal;
        record.hasSignalInfo = ::ptrace(PTRACE_GETSIGINFO, record.id, 0, &record.signalInfo) == 0;
        record.state = ThreadState::stopped;
        return true;
    }
    // A signal on its way: it is delivered now, and our stop comes right behind, at the first
    // instruction of its handler. So none is ever held back or lost.
    ::ptrace(PTRACE_CONT, record.id, 0, event == 0 ? signal : 0);
    return false;
}

void GuardianServer::readState(ThreadRecord& record) noexcept {
    record.hasRegisters = native::readRegisters(record.id, record.registers);
    record.is32bit = !record.hasRegisters && errno == EPROTO;
    if (::ptrace(PTRACE_GETSIGMASK, record.id, sizeof record.blocked, &record.blocked) != 0)
        record.blocked = 0;
    record.pending = traced::pendingSignals(record.id, false);
    if (record.hasRegisters && record.signal == 0 && native::wasInterrupted(record.registers)) {
        // Only our stop can have broken it off, unless a signal is waiting to be handled.
        const std::uint64_t waiting =
            (record.pending | traced::pendingSignals(record.id, true)) & ~record.blocked;
        record.repeat = waiting == 0;
    }
}

void GuardianServer::describe(ThreadRecord& record) noexcept {
    readState(record);
    std::byte* arena = setup_.shared + header_.arenaOffset + header_.arenaUsed;
    for (const int regset : {native::extendedRegset, native::floatingPointRegset}) {
        iovec area{arena,
                   std::min<std::size_t>(vectorStateRoom, header_.arenaSize - header_.arenaUsed)};
        if (::ptrace(PTRACE_GETREGSET, record.id, regset, &area) != 0) continue;
        record.extendedOffset = header_.arenaOffset + header_.arenaUsed;
        record.extendedSize = static_cast<std::uint32_t>(area.iov_len);
        header_.arenaUsed += (area.iov_len + 63) & ~std::size_t{63};
        break;
    }
}

std::uint32_t GuardianServer::collect() noexcept {
    std::uint32_t awaited = 0;
    for (ThreadRecord& record : records()) {
        if (record.state != ThreadState::asked) continue;
        bool still = false;
        while (!still) {
            int status = 0;
            // By id, not -1: that would look at every thread each time.
            const pid_t got = ::waitpid(record.id, &status, __WALL | WNOHANG);
            if (got == 0) break;
            if (got < 0) {
                if (errno == EINTR) continue;
                record.state = ThreadState::gone;
                still = true;
                break;
            }
            still = note(record, status);
        }
        if (!still)
            ++awaited;
        else if (record.state == ThreadState::stopped)
            describe(record);
    }
    return awaited;
}

/// Until all who have been asked stand still; nor longer than `deadline`. Not even without an owner
/// is it broken off: who has been told to stop must have done so before we can put back what the
/// stop broke off.
void GuardianServer::awaitAsked(std::int64_t deadline) noexcept {
    while (collect() > 0 && traced::now() <= deadline)
        traced::sleepForChild(2'000'000);
}

void GuardianServer::letGo(ThreadRecord& record) noexcept {
    if (watching_) {
        // Somebody else's event still has to be told.
        if (record.event == EventKind::none || record.told) resume(record);
        return;
    }
    if (record.repeat) {
        native::RegisterSet again = record.registers;
        native::repeatCall(again);
        native::writeRegisters(record.id, again);
    }
    // A stopped process (SIGSTOP) goes back into its stop by itself: ptrace(2), group-stop.
    ::ptrace(PTRACE_DETACH, record.id, 0, record.signal);
}

/// Threads that were stuck when we gave up on them stop as soon as they can: let them go.
void GuardianServer::serveLateStops() noexcept {
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(-1, &status, __WALL | WNOHANG);
        if (got <= 0) return;
        if (noteClone(got, status)) continue;
        const std::uint32_t index = *slot(got);
        if (!WIFSTOPPED(status)) {
            if (index != 0) records_[index - 1].state = ThreadState::gone;
            continue;
        }
        if (holding_) {
            // Until the others go too it stands still like them.
            if (index == 0) continue;
            ThreadRecord& record = records_[index - 1];
            record.state = ThreadState::asked;
            if (!note(record, status)) record.state = ThreadState::stuck;
            continue;
        }
        // A record of its own: what the owner was told of the thread stays as it was.
        ThreadRecord late{};
        late.id = got;
        if (!note(late, status)) continue;
        const std::uint64_t arena = header_.arenaUsed;
        describe(late);
        header_.arenaUsed = arena;
        letGo(late);
        if (index != 0) records_[index - 1].state = ThreadState::seized;
    }
}

/// Whether some were told to stop and have not done so.
bool GuardianServer::anyLate() noexcept {
    return std::ranges::any_of(records(), [](const ThreadRecord& record) {
        return record.state == ThreadState::stuck || record.state == ThreadState::asked;
    });
}

/// Waits for those and lets them go. Ending before would let them go too, but with the call they
/// are in broken off.
void GuardianServer::awaitLateStops() noexcept {
    const std::int64_t deadline = traced::now() + 60'000'000'000;
    while (!ended_ && anyLate() && traced::now() < deadline) {
        traced::sleepForChild(20'000'000);
        serve();
    }
}

}  // namespace icecore::live
