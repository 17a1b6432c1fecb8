// A running machine's physical memory, from wherever it can be had.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/issue.h"
#include "memory/address_space.h"
#include "model/snapshot.h"

namespace icecore::ram {

/// Memory that is being read while somebody may be writing it; what undoes what was done to get at
/// it (a guest that was paused) hangs on the memory's life.
struct RamSource {
    std::string name;         ///< "kcore", "crash", "mem", or what was given
    std::string description;  ///< one line: what is read, and where the ranges come from
    std::shared_ptr<const AddressSpace> memory;
    std::string kernelInfo;        ///< VMCOREINFO, where the source has it
    std::vector<std::byte> notes;  ///< ELF notes with the CPUs' registers, where it has them
    SystemInfo system;             ///< of the machine whose memory it is, as far as known
    Consistency consistency = Consistency::smeared;
    Issues issues;  ///< what about the ranges is doubtful or cannot be read
};

/// Where this machine tells of its memory. Tests point elsewhere.
struct Paths {
    std::string iomem = "/proc/iomem";
    std::string kcore = "/proc/kcore";
    std::string crash = "/dev/crash";
    std::string mem = "/dev/mem";
    std::string pageFlags = "/proc/kpageflags";
    std::string lockdown = "/sys/kernel/security/lockdown";
    std::string commandLine = "/proc/cmdline";
    std::string status = "/proc/self/status";
    std::string userNamespace = "/proc/self/ns/user";
    /// Of which one is there in a container: Docker's, Podman's, what systemd found, Kubernetes'.
    std::vector<std::string> containerMarks = {"/.dockerenv", "/run/.containerenv",
                                               "/run/systemd/container",
                                               "/run/secrets/kubernetes.io"};
};

/// What was tried and did not work.
struct Attempt {
    std::string source;
    Error error;
};

struct RamOptions {
    Paths paths;
    std::vector<Range> holes;  ///< for a file or device: addresses that it has no bytes for
    bool live = false;         ///< for a guest: do not pause it
};

/// Opens `which`: "auto" (kcore, crash, mem, the first that can be read), one of these three,
/// "qmp:SOCKET", or the path of a file or device whose bytes are physical memory from address 0 on.
/// `attempts` receives what was tried before. The error names each source that was tried, why it
/// failed, and what would help.
Result<RamSource> openRam(std::string_view which, const RamOptions& options,
                          std::vector<Attempt>& attempts);

}  // namespace icecore::ram
