// A process that the kernel is dumping: dead, and all of it still there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/snapshot.h"

namespace icecore::live {

/// What names a crashed process to people. Ids are those of our own namespaces.
struct CrashedProcess {
    std::uint64_t pid = 0;
    std::uint64_t innerPid = 0;  ///< in the innermost PID namespace; `pid` outside of containers
    std::string name;            ///< of the program's file; of the process, where there is none
    std::string executable;      ///< as the kernel tells its path, see foreignRoot
    std::vector<std::string> commandLine;
    std::optional<std::uint32_t> uid;
    /// It lives in another mount namespace than we: its paths mean other files than ours do.
    /// "/proc/PID/root" leads to them while it waits.
    bool foreignRoot = false;
};
/// What can be had of it; never fails.
CrashedProcess identifyCrashed(std::uint64_t pid);

/// "/proc/PID/root".
std::string rootOf(std::uint64_t pid);

/// The process as a snapshot: registers, signal and auxiliary vector from `notes` (the head of the
/// kernel's core, opened as a core), everything else out of /proc/PID. The memory is that of the
/// process, which must be kept waiting as long as it is read: nothing runs in it any more, so it
/// is of one moment. Ids of threads stay those that the process itself knows (of its namespace):
/// its own memory speaks of these.
Result<Snapshot> snapshotCrashed(std::uint64_t pid, Snapshot notes);

}  // namespace icecore::live
