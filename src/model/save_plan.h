// WHAT to save of a process: decided once, independent of any format.
#pragma once

#include <cstdint>
#include <vector>

#include "base/range.h"
#include "model/dump_type.h"
#include "model/process.h"

namespace icecore {

/// Why a range is saved; for reports and tests.
enum class SaveReason : std::uint8_t {
    stack,
    fault,           ///< around the program counter and the fault address
    module_header,   ///< ELF/PE headers, build-ids, link map
    module_data,     ///< writable data of modules
    module_code,
    thread_data,     ///< TLS, PEB/TEB, environment
    private_memory,  ///< private writable memory
    indirect,        ///< pointed to by a stack
    all,
};
std::string_view toString(SaveReason reason);

struct SavePlan {
    struct Item {
        Range range;
        SaveReason reason;
        bool operator==(const Item&) const = default;
    };
    DumpType type;
    std::vector<Item> memory;   ///< ascending, disjoint
    bool handles = false;
    bool memoryInfo = false;    ///< the region list itself
    bool threadInfo = false;
    bool unloadedModules = false;
    bool filterModulePaths = false;  ///< file names without directories
    bool filterMemory = false;       ///< keep only pointers in stacks; other bytes become zero
    bool optionalData = true;        ///< false: no memory but what the dump cannot do without

    [[nodiscard]] std::uint64_t bytes() const;
};

/// Decides by the flags (see dumpFlags() and docs/dump-types.md). Reads stacks through
/// process.memory where the type follows pointers. `io` regions and special ones are never in.
SavePlan planSave(const Process& process, DumpType type);

}  // namespace icecore
