// What a process writes to its log stream: the nearest that Linux has to Windows' debug output. It
// is
//   - what it writes to descriptor 2, standard error, by write() or writev(), whatever that leads
//   to;
//   - what it sends to the system's log: by send(), sendto() or sendmsg() to a socket whose other
//   end
//     is /dev/log or lies in /run/systemd/journal.
// For the guardian: nothing here but readOutput allocates or locks.
#pragma once

#include <sys/types.h>

#include <string>

#include "live/linux/native.h"

namespace icecore::live {

/// Whether a thread that stands at a system call is leaving it.
bool leavesCall(pid_t thread) noexcept;
/// Whether the call that the thread leaves has written to its log stream. `pidfd` is its process,
/// or -1: then nothing is known of sockets.
bool writesToLog(pid_t thread, int pidfd, const native::RegisterSet& registers) noexcept;

/// What that call has written, at most 64 KiB.
std::string readOutput(pid_t process, const native::RegisterSet& registers);

}  // namespace icecore::live
