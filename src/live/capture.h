// Freezing a running process into a Snapshot. One implementation per OS stands behind this.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore::live {

enum class SnapshotMode : std::uint8_t {
    automatic,  ///< clone; where that is refused, stop and say so
    clone,      ///< a copy-on-write child; fail where it is refused
    stop,       ///< the target stands still until everything is written
};

struct CaptureOptions {
    SnapshotMode mode = SnapshotMode::automatic;
    /// Decides what is looked up at all (handles, thread information) and which regions are read
    /// while the target still stands (those a clone does not carry).
    DumpType type;
    /// Hidden from the target: how long we wait for a thread that does not stop (D state).
    std::chrono::milliseconds threadTimeout{2000};
};

/// A process captured at one moment. While it lives, the memory of `snapshot()` can be read; then
/// everything is undone: the clone is gone and reaped, a stopped target runs again.
/// Destroying it never fails and never leaves the target stopped, traced or changed.
class FrozenProcess {
public:
    virtual ~FrozenProcess() = default;
    [[nodiscard]] virtual const Snapshot& snapshot() const = 0;
    /// What planSave decided, narrowed to what exists.
    [[nodiscard]] virtual const SavePlan& plan() const = 0;
    /// Clone or stop: what it came to be.
    [[nodiscard]] virtual SnapshotMode mode() const = 0;
    /// Why automatic fell back to stop; empty when it did not.
    [[nodiscard]] virtual const std::string& fallbackReason() const = 0;
    /// How long the target has stood still (so far, when it is stopped). Measured by us, from the
    /// first thread's stop to the last one's release.
    [[nodiscard]] virtual std::chrono::nanoseconds pause() const = 0;
    /// Release early: no more memory can be read afterwards.
    virtual void release() = 0;
};

/// Freezes process `pid`. Errors name which check failed (permission, already traced by PID N,
/// gone, kernel thread…).
Result<std::unique_ptr<FrozenProcess>> freeze(std::uint64_t pid, const CaptureOptions& options,
                                              Progress& progress);

/// The name of a running process as its user knows it: comm, completed from the program's file or
/// the arguments where the kernel cut it (at 15 characters). Empty when it cannot be had.
std::string processName(std::uint64_t pid);

struct ProcessName {
    std::uint64_t pid = 0;
    std::string name;        ///< as processName's
    std::string executable;  ///< path, when readable
    std::string commandLine;
};
/// Running processes whose name (comm, or file name of the executable) is `name`, without and
/// with its extension; our own process is not among them.
std::vector<ProcessName> findProcesses(std::string_view name);

/// A process that no later one of the same number is taken for.
struct ProcessIdentity {
    std::uint64_t pid = 0;
    std::uint64_t started = 0;  ///< in the system's own unit
    bool operator==(const ProcessIdentity&) const = default;
};
/// The running processes of a process group, less ourselves and our children.
std::vector<ProcessIdentity> processGroup(std::uint64_t group);

}  // namespace icecore::live
