// Whether a process hangs: none of its threads runs, although work waits for one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace icecore::monitor {

/// "Work waits" means one of these:
///   - a thread is runnable (R) and gets no processor;
///   - a thread waits in the kernel where no signal reaches it (D): a dead disk or server, vfork;
///   - something unread or unaccepted lies at a socket of the process, and nobody comes for it.
/// A process that sleeps because nothing is to be done, or that is stopped (SIGSTOP, a debugger),
/// does not hang.
class HungProcessWatch {
public:
    /// `pidfd` of the process, for its sockets; -1: they are not looked at.
    HungProcessWatch(pid_t process, int pidfd) : process_(process), pidfd_(pidfd) {}

    /// Words for people when no thread has run for `limit` although work waits. To be asked again
    /// and again; what happened before the first time does not count.
    std::optional<std::string> look(std::chrono::nanoseconds now, std::chrono::nanoseconds limit);

private:
    pid_t process_;
    int pidfd_;
    std::string progress_;  ///< what every thread had run so far
    std::optional<std::chrono::nanoseconds> since_;
};

}  // namespace icecore::monitor
