// The guardian process: everything that needs ptrace. See guardian.h for why it is one.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "live/linux/guardian_protocol.h"
#include "live/linux/seccomp.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

/// Directory entries as getdents64 gives them (Linux, include/linux/dirent.h).
struct DirectoryEntry {
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type;
    char name[1];
};

class Server {
public:
    explicit Server(const GuardianSetup& setup) noexcept
        : setup_(setup),
          header_(*reinterpret_cast<SharedHeader*>(setup.shared)),
          records_(reinterpret_cast<ThreadRecord*>(setup.shared + sizeof(SharedHeader))),
          table_(reinterpret_cast<std::uint32_t*>(setup.shared + header_.tableOffset)) {}

    [[noreturn]] void run() noexcept;

private:
    GuardianReply freeze(std::int64_t timeoutMs) noexcept;
    GuardianReply clone(std::uint64_t site) noexcept;
    GuardianReply release() noexcept;
    GuardianReply finish() noexcept;

    /// Seizes every thread that is not known yet; `found` counts them.
    GuardianReply seizeNew(std::uint32_t& found) noexcept;
    [[nodiscard]] std::uint64_t threadCount() const noexcept;
    GuardianReply seizeOne(pid_t thread, std::uint32_t& found) noexcept;
    void askAll() noexcept;
    /// Takes in the stops that have come; returns how many threads are still awaited.
    std::uint32_t collect() noexcept;
    bool note(ThreadRecord& record, int status) noexcept;
    void describe(ThreadRecord& record) noexcept;
    bool waitChild(std::int64_t deadline) noexcept;
    GuardianReply reap() noexcept;
    GuardianReply reapIn(pid_t thread) noexcept;
    void serveLateStops() noexcept;
    void awaitLateStops() noexcept;
    static void letGo(const ThreadRecord& record) noexcept;
    [[nodiscard]] seccomp::Verdict seccompVerdict(
        pid_t thread, int number, std::span<const std::uint64_t> arguments) const noexcept;

    [[nodiscard]] bool ownerGone() const noexcept;
    [[nodiscard]] bool threadIsDead(pid_t thread) const noexcept;
    [[nodiscard]] std::uint32_t* slot(pid_t thread) noexcept;
    [[nodiscard]] bool fatal(int signal) const noexcept;
    [[nodiscard]] std::span<ThreadRecord> records() noexcept { return {records_, header_.count}; }

    const GuardianSetup& setup_;
    SharedHeader& header_;
    ThreadRecord* records_;
    std::uint32_t* table_;             ///< open addressing; index of the record + 1
    pid_t child_ = 0;                  ///< the clone
    std::uint64_t childInTarget_ = 0;  ///< its pid in the target's own namespace
    std::uint64_t site_ = 0;
    bool holding_ = false;
    bool listedAll_ = false;  ///< the last list of threads was whole
    bool late_ = false;       ///< some stuck threads may still stop
};

bool Server::ownerGone() const noexcept {
    pollfd owner{setup_.socket, 0, 0};
    return ::poll(&owner, 1, 0) > 0 && (owner.revents & (POLLHUP | POLLERR)) != 0;
}

bool Server::threadIsDead(pid_t thread) const noexcept {
    const char state = traced::stateOf(setup_.taskDirectory, thread);
    return state == 'Z' || state == 'X' || state == 0;
}

/// Where `thread` stands in the hash table, or the free place for it.
std::uint32_t* Server::slot(pid_t thread) noexcept {
    const std::uint32_t mask = header_.tableSize - 1;
    std::uint32_t at = static_cast<std::uint32_t>(thread) * 2654435761U & mask;
    while (table_[at] != 0 && records_[table_[at] - 1].id != thread)
        at = (at + 1) & mask;
    return &table_[at];
}

/// Whether delivering `signal` would end the process: its default action, see signal(7).
bool Server::fatal(int signal) const noexcept {
    if ((setup_.handledSignals >> (signal - 1) & 1U) != 0) return false;
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

GuardianReply Server::seizeOne(pid_t thread, std::uint32_t& found) noexcept {
    std::uint32_t* place = slot(thread);
    if (*place != 0) return {};
    ThreadState state = ThreadState::seized;
    if (::ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) {
        const int error = errno;
        if (error == ESRCH) return {};  // ended meanwhile: thread churn
        if (!threadIsDead(thread)) return {GuardianFailure::seize, error, thread};
        if (thread != setup_.target) return {};
        state = ThreadState::dead;
    }
    if (header_.count == header_.capacity) {
        // It stays seized until the guardian ends, which is at once.
        return {GuardianFailure::tooMany, 0, thread};
    }
    ThreadRecord& record = records_[header_.count++];
    record = ThreadRecord{};
    record.id = thread;
    record.state = state;
    *place = header_.count;
    if (state == ThreadState::seized) ++found;
    return {};
}

/// How many threads the kernel counts: the links of /proc/PID/task, less "." and "..".
std::uint64_t Server::threadCount() const noexcept {
    struct stat task{};
    return ::fstat(setup_.taskDirectory, &task) == 0 && task.st_nlink > 2 ? task.st_nlink - 2 : 0;
}

/// Seizes whom the list of threads names and we do not have yet. A thread that ends while the list
/// stands at it cuts the list short (next_tid in fs/proc/base.c), so `listedAll_` says whether as
/// many were named as there were before and after.
GuardianReply Server::seizeNew(std::uint32_t& found) noexcept {
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

void Server::askAll() noexcept {
    for (ThreadRecord& record : records()) {
        if (record.state != ThreadState::seized) continue;
        if (header_.stoppedAt == 0) header_.stoppedAt = traced::now();
        record.state = ::ptrace(PTRACE_INTERRUPT, record.id, 0, 0) == 0 ? ThreadState::asked
                                                                        : ThreadState::gone;
    }
}

/// One event of a thread. True when it now stands still (or is gone).
bool Server::note(ThreadRecord& record, int status) noexcept {
    if (!WIFSTOPPED(status)) {
        record.state = ThreadState::gone;
        return true;
    }
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == PTRACE_EVENT_STOP) {
        record.groupStopped = signal != SIGTRAP;
        record.state = ThreadState::stopped;
        return true;
    }
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

void Server::describe(ThreadRecord& record) noexcept {
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

std::uint32_t Server::collect() noexcept {
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

GuardianReply Server::freeze(std::int64_t timeoutMs) noexcept {
    std::uint32_t found = 0;
    site_ = traced::findSyscall(setup_.target);
    // While they still run: seizing costs them nothing, and takes most of the time.
    for (int round = 0; round < 3; ++round) {
        found = 0;
        if (const auto reply = seizeNew(found); reply.failure != GuardianFailure::none)
            return reply;
        if (found == 0) break;
    }
    holding_ = true;
    std::int64_t deadline = traced::now() + timeoutMs * 1'000'000;
    int quiet = 0;
    for (;;) {
        askAll();
        while (collect() > 0) {
            // Not even without an owner is it broken off: who has been told to stop must have done
            // so before we can put back what the stop broke off.
            if (traced::now() > deadline) break;
            traced::sleepForChild(2'000'000);
        }
        for (ThreadRecord& record : records()) {
            if (record.state != ThreadState::asked) continue;
            record.state = ThreadState::stuck;
            late_ = true;
        }
        // Threads that were made by those we had not stopped yet.
        found = 0;
        if (const auto reply = seizeNew(found); reply.failure != GuardianFailure::none)
            return reply;
        if (found == 0) {
            // Where threads come and go, births hide from the count what the list left out: then
            // only several lists that name nobody new are believed.
            const bool churn = std::ranges::any_of(
                records(), [](const ThreadRecord& r) { return r.state == ThreadState::gone; });
            constexpr int believed = 1, believedInChurn = 5;
            quiet = listedAll_ ? quiet + 1 : 0;
            if (quiet >= (churn ? believedInChurn : believed) || traced::now() > deadline ||
                ownerGone())
                break;
            traced::sleepForChild(200'000);
            continue;
        }
        quiet = 0;
        deadline = std::max(deadline, traced::now() + 100'000'000);
        if (ownerGone()) return {GuardianFailure::gone, ESRCH, 0};
    }
    for (const ThreadRecord& record : records()) {
        if (record.state != ThreadState::stopped) continue;
        header_.sharedPending = traced::pendingSignals(record.id, true);
        return {};
    }
    for (const ThreadRecord& record : records()) {
        if (record.state == ThreadState::stuck) return {};
    }
    return {GuardianFailure::gone, ESRCH, 0};
}

/// Takes in the clone's first stop; false when it does not come.
bool Server::waitChild(std::int64_t deadline) noexcept {
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
        child_ = got;
        if (WIFSTOPPED(status)) {
            // Should the guardian die, the clone dies with it.
            ::ptrace(PTRACE_SETOPTIONS, child_, 0, PTRACE_O_EXITKILL);
            return true;
        }
        return false;
    }
    return false;
}

seccomp::Verdict Server::seccompVerdict(pid_t thread, int number,
                                        std::span<const std::uint64_t> arguments) const noexcept {
    seccomp::Data data{};
    data.number = number;
    data.architecture = native::auditArch;
    data.instructionPointer = site_ + native::syscallInstruction.size();
    std::ranges::copy(arguments, data.arguments);
    return seccomp::verdict(thread, data);
}

GuardianReply Server::clone(std::uint64_t site) noexcept {
    ThreadRecord* chosen = nullptr;
    for (ThreadRecord& record : records()) {
        // Not one with a signal in hand: making it run would lose or deliver that.
        if (record.state != ThreadState::stopped || record.signal != 0 || !record.hasRegisters)
            continue;
        if (traced::catchesSyscalls(record.id)) continue;
        chosen = &record;
        break;  // the leader comes first in the list, where it lives
    }
    if (chosen == nullptr) return {GuardianFailure::noThread, 0, 0};
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
    traced::Call call{chosen->id, chosen->registers, chosen->blocked, site_, SYS_clone, arguments};
    const traced::CallOutcome outcome = traced::makeCall(call);
    if (outcome.end == traced::CallEnd::ended) {
        chosen->state = ThreadState::gone;
        return {GuardianFailure::gone, ESRCH, chosen->id};
    }
    if (outcome.end == traced::CallEnd::noSite) return {GuardianFailure::noSite, 0, chosen->id};
    if (outcome.end == traced::CallEnd::stuck) return {GuardianFailure::stuck, 0, chosen->id};
    if (outcome.result < 0)
        return {GuardianFailure::refused, static_cast<std::int32_t>(-outcome.result), chosen->id};
    childInTarget_ = static_cast<std::uint64_t>(outcome.result);
    if (!waitChild(traced::now() + 5'000'000'000)) return {GuardianFailure::stuck, 0, 0};
    return {GuardianFailure::none, 0, child_};
}

void Server::letGo(const ThreadRecord& record) noexcept {
    if (record.repeat) {
        native::RegisterSet again = record.registers;
        native::repeatCall(again);
        native::writeRegisters(record.id, again);
    }
    // A stopped process (SIGSTOP) goes back into its stop by itself: ptrace(2), group-stop.
    ::ptrace(PTRACE_DETACH, record.id, 0, record.signal);
}

GuardianReply Server::release() noexcept {
    if (!holding_) return {};
    holding_ = false;
    for (ThreadRecord& record : records()) {
        if (record.state != ThreadState::stopped) continue;
        letGo(record);
        record.state = ThreadState::seized;
    }
    header_.releasedAt = traced::now();
    return {};
}

/// Threads that were stuck when we gave up on them stop as soon as they can: let them go.
void Server::serveLateStops() noexcept {
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(-1, &status, __WALL | WNOHANG);
        if (got <= 0) return;
        if (got == child_) {
            if (!WIFSTOPPED(status)) child_ = -child_;  // killed by someone: only to be reaped
            continue;
        }
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

/// Waits for those that were told to stop and have not done so, and lets them go. Ending before
/// would let them go too, but with the call they are in broken off.
void Server::awaitLateStops() noexcept {
    const auto late = [](const ThreadRecord& record) {
        return record.state == ThreadState::stuck || record.state == ThreadState::asked;
    };
    const std::int64_t deadline = traced::now() + 60'000'000'000;
    while (std::ranges::any_of(records(), late) && traced::now() < deadline) {
        traced::sleepForChild(20'000'000);
        serveLateStops();
    }
}

GuardianReply Server::reapIn(pid_t thread) noexcept {
    ThreadRecord record{};
    record.id = thread;
    if (::ptrace(PTRACE_SEIZE, thread, 0, 0) != 0)
        return {GuardianFailure::zombieLeft, errno, thread};
    ::ptrace(PTRACE_INTERRUPT, thread, 0, 0);
    record.state = ThreadState::asked;
    const std::int64_t deadline = traced::now() + 200'000'000;
    while (record.state == ThreadState::asked) {
        int status = 0;
        const pid_t got = ::waitpid(thread, &status, __WALL | WNOHANG);
        if (got < 0 && errno != EINTR) return {GuardianFailure::zombieLeft, errno, thread};
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
    if (record.signal == 0 && record.hasRegisters && !traced::catchesSyscalls(thread)) {
        // The target may have become another program since (exec): then the place is another one.
        if (!traced::isSyscall(thread, site_)) site_ = traced::findSyscall(thread);
        const std::uint64_t arguments[] = {childInTarget_, 0, __WCLONE | WNOHANG, 0};
        for (int attempt = 0; attempt < 50; ++attempt) {
            traced::Call call{thread, record.registers, record.blocked,
                              site_,  SYS_wait4,        arguments};
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
    letGo(record);
    return reply;
}

/// The ended clone is a child of the target until that has waited for it.
GuardianReply Server::reap() noexcept {
    GuardianReply reply{GuardianFailure::zombieLeft, 0, 0};
    const std::int64_t deadline = traced::now() + 3'000'000'000;
    do {
        reply = reapIn(setup_.target);
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
            reply = reapIn(thread);
            if (reply.failure == GuardianFailure::none) return reply;
        }
        if (!alive) return {};
        traced::sleepForChild(20'000'000);
        serveLateStops();
    } while (traced::now() < deadline);
    return reply;
}

GuardianReply Server::finish() noexcept {
    release();
    serveLateStops();
    if (child_ == 0) return {};
    if (child_ > 0) {
        ::kill(child_, SIGKILL);
        int status = 0;
        while (::waitpid(child_, &status, __WALL) == child_ && WIFSTOPPED(status)) {
        }
    }
    child_ = 0;
    return reap();
}

void Server::run() noexcept {
    for (;;) {
        pollfd owner{setup_.socket, POLLIN, 0};
        // While anything is traced, its end must be taken in soon: until the tracer has done so,
        // its own parent waits for it in vain.
        constexpr int milliseconds = 20;
        const int ready = ::poll(&owner, 1, late_ || holding_ || child_ > 0 ? milliseconds : -1);
        serveLateStops();
        if (ready <= 0) continue;
        GuardianRequest request;
        const ssize_t got = ::recv(setup_.socket, &request, sizeof request, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got != sizeof request) break;  // the owner is gone, however it died
        GuardianReply reply;
        switch (request.op) {
        case GuardianOp::freeze: reply = freeze(request.argument); break;
        case GuardianOp::clone: reply = clone(static_cast<std::uint64_t>(request.argument)); break;
        case GuardianOp::release: reply = release(); break;
        case GuardianOp::finish: reply = finish(); break;
        }
        if (::send(setup_.socket, &reply, sizeof reply, MSG_NOSIGNAL) < 0) break;
    }
    finish();
    awaitLateStops();
    ::_exit(0);
}

}  // namespace

void runGuardian(const GuardianSetup& setup) noexcept {
    // A session of its own: Ctrl-C and a killed process group are meant for others.
    ::setsid();
    ::prctl(PR_SET_NAME, "freeze-guard");
    // While it works somebody stands still; on a busy machine it must not queue with the others.
    // Without CAP_SYS_NICE it stays as it is.
    constexpr int most = -20;
    (void)::setpriority(PRIO_PROCESS, 0, most);
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, nullptr);
    traced::keepOnly(setup.socket, setup.taskDirectory);
    Server(setup).run();
}

}  // namespace icecore::live
