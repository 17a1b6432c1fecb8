#include "live/linux/guardian.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "base/range.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

Result<std::shared_ptr<std::byte>> makeShared(std::uint32_t capacity) {
    SharedHeader header;
    header.capacity = capacity;
    header.tableOffset = sizeof(SharedHeader) + capacity * sizeof(ThreadRecord);
    header.tableSize = std::bit_ceil(capacity * 2);
    header.arenaOffset =
        alignUp(header.tableOffset + header.tableSize * sizeof(std::uint32_t), 4096);
    header.arenaSize = (std::uint64_t{capacity} + 1) * vectorStateRoom;
    const std::uint64_t size = header.arenaOffset + header.arenaSize;
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return failErrno(errno, "cannot get memory for the threads' registers");
    new (at) SharedHeader(header);
    return std::shared_ptr<std::byte>(static_cast<std::byte*>(at),
                                      [size](std::byte* bytes) { ::munmap(bytes, size); });
}

/// Takes the end of a guardian in; false while it goes on (WNOHANG).
bool reaped(pid_t guardian, int options) {
    pid_t got = 0;
    do
        got = ::waitpid(guardian, nullptr, __WCLONE | options);
    while (got < 0 && errno == EINTR);
    return got != 0;
}

/// Guardians that outlive their capture: they wait for threads stuck in the kernel. Their end is
/// taken in when the next one starts.
class LateGuardians {
public:
    static LateGuardians& instance() {
        static LateGuardians all;
        return all;
    }
    void add(pid_t guardian) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(guardian);
    }
    void reap() {
        const std::lock_guard lock(mutex_);
        std::erase_if(waiting_, [](pid_t guardian) { return reaped(guardian, WNOHANG); });
    }

private:
    std::mutex mutex_;
    std::vector<pid_t> waiting_;
};

}  // namespace

Result<std::unique_ptr<Guardian>> Guardian::start(pid_t target, int taskDirectory,
                                                  std::uint32_t capacity,
                                                  std::uint64_t handledSignals) {
    LateGuardians::instance().reap();
    ASSIGN_OR_RETURN(auto shared, makeShared(capacity));
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return failErrno(errno, "cannot make a socket pair");
    Descriptor ours(ends[0]);
    Descriptor theirs(ends[1]);
    const GuardianSetup setup{target, taskDirectory, theirs.get(), handledSignals, shared.get()};

    // The child must not run a handler of this program before it is set up, and never afterwards.
    sigset_t everything;
    sigset_t before;
    sigfillset(&everything);
    ::pthread_sigmask(SIG_SETMASK, &everything, &before);
    // Like fork, but without an exit signal: the program that uses this library must not see the
    // death of a child it did not start.
    const long process = ::syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (process == 0) runGuardian(setup);
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (process < 0) return failErrno(error, "cannot start the process that traces");
    return std::unique_ptr<Guardian>(
        new Guardian(std::move(ours), static_cast<pid_t>(process), std::move(shared)));
}

Guardian::~Guardian() {
    finish();
}

GuardianReply Guardian::ask(GuardianOp op, std::int64_t argument) {
    const GuardianReply lost{GuardianFailure::gone, EPIPE, 0};
    const auto lock = exclusive();
    if (!socket_.valid()) return lost;
    const GuardianRequest request{op, argument};
    if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL) != sizeof request)
        return lost;
    GuardianReply reply;
    ssize_t got = 0;
    do
        // The answer belongs to the question: nobody else may ask before it has come.
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
        got = ::recv(socket_.get(), &reply, sizeof reply, 0);
    while (got < 0 && errno == EINTR);
    return got == sizeof reply ? reply : lost;
}

GuardianReply Guardian::freeze(std::chrono::milliseconds timeout) {
    return ask(GuardianOp::freeze, timeout.count());
}
GuardianReply Guardian::clone(std::uint64_t site) {
    return ask(GuardianOp::clone, static_cast<std::int64_t>(site));
}
GuardianReply Guardian::release() {
    return ask(GuardianOp::release, 0);
}

GuardianReply Guardian::finish() {
    const auto lock = exclusive();
    if (!socket_.valid()) return {};
    const GuardianReply reply = ask(GuardianOp::finish, 0);
    socket_.reset();
    const bool late = std::ranges::any_of(threads(), [](const ThreadRecord& record) {
        return record.state == ThreadState::stuck || record.state == ThreadState::asked;
    });
    if (late)
        LateGuardians::instance().add(process_);
    else
        reaped(process_, 0);
    return reply;
}

GuardianReply Guardian::watch(const WatchWishes& wishes) {
    header().wishes = wishes;
    return ask(GuardianOp::watch, 0);
}
GuardianReply Guardian::next(std::chrono::milliseconds timeout) {
    // A mutex is given to whoever comes first, and that would be us again and again.
    while (queueing_ > 0)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    return ask(GuardianOp::next, timeout.count());
}
GuardianReply Guardian::pass(pid_t thread) {
    return ask(GuardianOp::pass, thread);
}
GuardianReply Guardian::dropClone(pid_t clone) {
    ++queueing_;
    const auto lock = exclusive();
    --queueing_;
    return ask(GuardianOp::drop, clone);
}
GuardianReply Guardian::leave() {
    return ask(GuardianOp::leave, 0);
}

const ThreadRecord* Guardian::thread(pid_t id) const {
    const auto all = threads();
    const auto found = std::ranges::find(all, id, &ThreadRecord::id);
    return found == all.end() ? nullptr : &*found;
}

std::span<const ThreadRecord> Guardian::threads() const {
    return {reinterpret_cast<const ThreadRecord*>(shared_.get() + sizeof(SharedHeader)),
            header().count};
}

SharedBytes Guardian::extended(const ThreadRecord& record) const {
    const std::byte* at = shared_.get() + record.extendedOffset;
    return SharedBytes::own(std::vector<std::byte>(at, at + record.extendedSize));
}

std::chrono::nanoseconds Guardian::pause() const {
    const SharedHeader& state = header();
    if (state.stoppedAt == 0) return {};
    const std::int64_t end = state.releasedAt != 0 ? state.releasedAt : traced::now();
    return std::chrono::nanoseconds(end - state.stoppedAt);
}

}  // namespace icecore::live
