#include "monitor/linux/hung_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "bytes/descriptor_posix.h"
#include "live/linux/proc.h"

namespace icecore::monitor {

namespace {

using live::readProcOrEmpty;
using live::taskPath;

/// A thread that wants to run and does not, in words; empty when no thread does. `stopped`: the
/// process stands still on somebody's order.
std::string waitingThread(pid_t process, const std::vector<std::uint64_t>& threads, bool& stopped) {
    std::string found;
    for (const std::uint64_t id : threads) {
        const auto thread = static_cast<pid_t>(id);
        const auto stat = live::parseStat(readProcOrEmpty(taskPath(process, thread, "stat")));
        if (!stat) continue;
        stopped |= stat->state == 'T' || stat->state == 't';
        if (stat->state != 'R' && stat->state != 'D') continue;
        if (stat->state == 'R') {
            found = fmt::format("thread {} is runnable", id);
            continue;
        }
        const std::string where = readProcOrEmpty(taskPath(process, thread, "wchan"));
        found = fmt::format("thread {} waits in the kernel{}{}", id,
                            where.empty() || where == "0" ? "" : ": ", where == "0" ? "" : where);
    }
    return found;
}

/// A socket at which something waits to be read or accepted, in words; empty when there is none.
/// Nothing is taken from it.
std::string waitingSocket(pid_t process, int pidfd) {
    if (pidfd < 0) return {};
    for (const std::uint64_t number : live::numbersIn(live::procPath(process, "fd"))) {
        const std::string link =
            live::readLink(live::procPath(process, fmt::format("fd/{}", number)));
        if (!link.starts_with("socket:")) continue;
        const Descriptor socket(
            static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, static_cast<int>(number), 0)));
        if (!socket.valid()) continue;
        int accepts = 0;
        socklen_t size = sizeof accepts;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
            accepts != 0) {
            pollfd ready{socket.get(), POLLIN, 0};
            if (::poll(&ready, 1, 0) > 0)
                return fmt::format("a connection waits at descriptor {}", number);
            continue;
        }
        int unread = 0;
        if (::ioctl(socket.get(), FIONREAD, &unread) == 0 && unread > 0)
            return fmt::format("{} bytes wait at descriptor {}", unread, number);
    }
    return {};
}

}  // namespace

std::optional<std::string> HungProcessWatch::look(std::chrono::nanoseconds now,
                                                  std::chrono::nanoseconds limit) {
    const auto threads = live::numbersIn(live::procPath(process_, "task"));
    std::string progress;
    for (const std::uint64_t thread : threads) {
        // Nanoseconds it has run, has waited for a processor, how often it got one: the first and
        // the last change whenever it runs (Documentation/scheduler/sched-stats.rst).
        const std::string text =
            readProcOrEmpty(taskPath(process_, static_cast<pid_t>(thread), "schedstat"));
        const auto fields = splitBlanks(text);
        progress += fmt::format("{} {} {}\n", thread, fields.empty() ? "" : fields.front(),
                                fields.empty() ? "" : fields.back());
    }
    if (progress != progress_ || !since_) {
        progress_ = std::move(progress);
        since_ = now;
        return std::nullopt;
    }
    if (now - *since_ < limit) return std::nullopt;
    bool stopped = false;
    std::string work = waitingThread(process_, threads, stopped);
    if (stopped) return std::nullopt;
    if (work.empty()) work = waitingSocket(process_, pidfd_);
    if (work.empty()) return std::nullopt;
    return fmt::format("no thread has run for {:.1f} s, and {}",
                       std::chrono::duration<double>(now - *since_).count(), work);
}

}  // namespace icecore::monitor
