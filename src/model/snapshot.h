// A dump as a value: what it is of, where it comes from, what came with it, what is damaged.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/issue.h"
#include "model/process.h"

namespace icecore {

/// A whole machine: physical memory and what is known to translate it.
struct Machine {
    SystemInfo system;
    std::shared_ptr<const AddressSpace> physical = emptySpace();
    struct Cpu {
        std::uint32_t number = 0;
        Context context;
        std::optional<std::uint64_t> translationRoot;  ///< CR3, TTBR
    };
    Listing<Cpu> cpus;
    std::map<std::string, std::string> hints;  ///< e.g. VMCOREINFO keys, KDBG address
};

/// How consistent the memory of a snapshot is with its registers.
enum class Consistency : std::uint8_t {
    unknown,
    frozen,   ///< everything belongs to one moment
    mixed,    ///< some ranges were read at another moment (shared memory beside a clone)
    smeared,  ///< read while the target ran
};

struct Provenance {
    std::string path;               ///< file, or "pid 1234"
    std::string format;             ///< name of the format's table row: "core", "minidump"
    std::uint64_t bytes = 0;        ///< size of the file
    std::optional<TimePoint> time;  ///< when the snapshot was taken
    std::string tool;               ///< who wrote it, when known
    std::string type;               ///< what was asked for: flags or preset, when known
    Consistency consistency = Consistency::unknown;
};

/// What a format holds that the model does not name: kept, listed, and written back where the
/// format can. Names are ours and format-neutral: "linux/maps", "linux/status", "linux/cpuinfo",
/// "linux/lsb-release", "linux/environ", "linux/cmdline", "linux/auxv", "linux/limits",
/// "comment", "stream/0x4b320001".
struct Attachment {
    std::string name;
    SharedBytes content;
    bool operator==(const Attachment&) const = default;
};

struct Snapshot {
    std::optional<Process> process;
    std::optional<Machine> machine;
    Provenance provenance;
    std::vector<Attachment> attachments;
    /// Ranges whose reading failed when the snapshot was taken, as far as recorded.
    std::vector<Range> unread;
    Issues issues;

    /// The attachment's content, or null.
    [[nodiscard]] const SharedBytes* attachment(std::string_view name) const;
};

}  // namespace icecore
