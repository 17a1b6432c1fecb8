// The files behind a process' mappings, opened for reading.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "bytes/descriptor_posix.h"
#include "model/process.h"

namespace icecore::live {

/// One regular file, as long as someone reads it.
struct BackingFile {
    Descriptor file;
    std::uint64_t size = 0;   ///< when opened
    bool tellsHoles = false;  ///< SEEK_DATA works
};

/// Opens what is mapped, whatever became of its name: through /proc/PID/map_files where we may
/// (CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN), else through a descriptor that the process still
/// has, else by its path under the root of the process; always only if device and inode agree, and
/// never anything but a regular file: opening a device can do things. Thread-safe.
class BackingFiles {
public:
    explicit BackingFiles(pid_t process) : process_(process) {}
    /// Null when it cannot be had.
    std::shared_ptr<const BackingFile> open(const Region& region);

private:
    [[nodiscard]] std::shared_ptr<const BackingFile> find(const Region& region) const;

    static constexpr std::size_t limit = 64;  ///< descriptors kept open
    pid_t process_;
    std::mutex mutex_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::shared_ptr<const BackingFile>> open_;
};

}  // namespace icecore::live
