// The guardian's heir: a process that waits for the guardian's death, and then takes its
// breakpoints out of the target.
//
// The kernel leaves a debug register in a thread when its tracer dies; the next time the thread
// comes by, SIGTRAP ends the whole process. A guardian whose owner is killed puts everything back;
// a guardian that is killed itself cannot. So there is a third: it exists only while there are
// breakpoints, sleeps all the time, and is called neither like us nor like the guardian, so that
// whoever ends processes by their name does not end all three. Only somebody who kills all of them
// in the same moment (the KILL of a whole cgroup) leaves breakpoints behind.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "live/linux/guardian_server.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

void GuardianServer::appointHeir() noexcept {
    if (heir_ >= 0) return;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
    // Not a child of ours: when there is nobody left to wait for, the target has ended.
    const long between = ::syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (between == 0) {
        if (::syscall(SYS_clone, 0, 0, 0, 0, 0) == 0) inherit(ends[1]);
        ::_exit(0);
    }
    ::close(ends[1]);
    while (between > 0 && ::waitpid(static_cast<pid_t>(between), nullptr, __WALL) < 0 &&
           errno == EINTR) {
    }
    heir_ = ends[0];
}

void GuardianServer::dismissHeir() noexcept {
    if (heir_ < 0) return;
    (void)::send(heir_, "", 1, MSG_NOSIGNAL);
    ::close(heir_);
    heir_ = -1;
}

void GuardianServer::inherit(int guardian) noexcept {
    ::setsid();
    traced::nameProcess("trap-heir");
    traced::keepOnly(guardian, setup_.taskDirectory);
    char farewell = 0;
    ssize_t got = 0;
    do
        got = ::read(guardian, &farewell, 1);
    while (got < 0 && errno == EINTR);
    if (got > 0) ::_exit(0);  // all is in order
    heir_ = -1;
    // Of what the guardian knew only this is of use: which threads there are will be seen.
    header_.count = 0;
    std::fill_n(table_, header_.tableSize, 0U);
    header_.wishes = WatchWishes{};
    clones_ = {};
    holding_ = listedAll_ = late_ = ended_ = watching_ = false;
    sweptSince_ = 0;
    generation_ = 1;
    const std::int64_t deadline = traced::now() + 10'000'000'000;
    // Until the kernel has let go of the last thread for the guardian, some cannot be had.
    while (!ended_ && traced::now() < deadline) {
        watching_ = false;
        if (watch().failure == GuardianFailure::none) break;
        traced::sleepForChild(1'000'000);
    }
    leave();
    ::_exit(0);
}

}  // namespace icecore::live
