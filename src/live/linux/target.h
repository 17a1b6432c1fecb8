// Which process we mean, and why we may not have it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bytes/descriptor_posix.h"
#include "live/linux/proc.h"

namespace icecore::live {

/// A process, pinned: a number alone may belong to another process a moment later.
struct Target {
    pid_t pid = 0;
    Descriptor pidfd;                    ///< invalid where the kernel has none (before 5.3)
    Descriptor taskDirectory;            ///< /proc/PID/task
    ProcStat stat;                       ///< of the leader
    std::string status;                  ///< /proc/PID/status
    std::vector<std::uint64_t> threads;  ///< as found; they come and go
    /// A thread that has the process' memory: the leader, unless that has ended before the others.
    pid_t memoryThread = 0;

    /// Still the process it was.
    [[nodiscard]] bool same() const;
    /// "pid 1234 (name)".
    [[nodiscard]] std::string describe() const;
};

/// Errors: no such process, a thread's number, a kernel thread, an ended process (zombie),
/// ourselves.
Result<Target> identify(std::uint64_t number);

/// The error for a target that ptrace or /proc refused with `error`, naming the check that failed:
/// traced already (by whom), another user's, not dumpable, Yama, capabilities, user namespace.
Error explainRefusal(const Target& target, int error);

/// What the Yama security module forbids and what to do about it, given what
/// /proc/sys/kernel/yama/ptrace_scope holds (Documentation/admin-guide/LSM/Yama.rst); nothing where
/// it leaves tracing alone or the kernel has no Yama (empty text).
std::optional<std::string> yamaRefusal(std::string_view ptraceScope);

}  // namespace icecore::live
