// WHAT to save of a process: decided once, independent of any format.
//
// A writer honours a plan by copying `memory` from memoryToSave(), listing the modules that
// keeps() and, by the flags below, the lists that go with it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/range.h"
#include "model/dump_type.h"
#include "model/process.h"
#include "model/snapshot.h"

namespace icecore {

/// Why a range is saved; for reports and tests.
enum class SaveReason : std::uint8_t {
    stack,
    fault,          ///< around the program counter and the fault address
    module_header,  ///< ELF/PE headers, build-ids, link map
    module_data,    ///< writable data of modules
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
    std::vector<Item> memory;  ///< ascending, disjoint
    bool handles = false;
    bool memoryInfo = false;  ///< the region list itself
    bool threadInfo = false;
    bool unloadedModules = false;
    bool filterModulePaths = false;  ///< file names without directories
    bool filterMemory = false;       ///< keep only pointers in stacks; other bytes become zero
    bool optionalData = true;        ///< false: no memory but what the dump cannot do without
    bool arguments = true;           ///< command line and environment may be written
    /// Base addresses of the modules to list, ascending, when not all of them are (ScanMemory).
    std::optional<std::vector<std::uint64_t>> keptModules;

    [[nodiscard]] std::uint64_t bytes() const;
    /// Whether `module` is to be listed.
    [[nodiscard]] bool keeps(const Module& module) const;
};

/// Decides by the flags (see dumpFlags() and docs/dump-types.md). Reads stacks through
/// process.memory where the type follows pointers. `io` regions, special ones, those without any
/// access and those marked MADV_DONTDUMP are never in.
SavePlan planSave(const Process& process, DumpType type);

/// Takes out of the plan what `memory` knows not to have (a dump is converted that does not hold
/// everything): what was never there is no loss of this writing.
void narrowTo(SavePlan& plan, const AddressSpace& memory);

/// At most this much is written: what `memory` has of the plan's ranges that is not known to be
/// zero. In memory that does not grow with the ranges.
std::uint64_t presentBytes(const SavePlan& plan, const AddressSpace& memory);

/// The memory a writer must copy from: process.memory, or a space in which zeros stand for what the
/// plan says may not be written: with filterMemory the words of stacks that point neither to code
/// nor to a stack, without arguments the strings of arguments and environment. (A plan leaves such
/// strings out; a format that saves whole pages would bring some of them back.)
std::shared_ptr<const AddressSpace> memoryToSave(const Process& process, const SavePlan& plan);

/// An attachment as the plan lets it be written; nothing when it must be left out: arguments and
/// environment without `arguments`; the memory map with file names only where paths are filtered.
std::optional<SharedBytes> contentToSave(const Attachment& attachment, const SavePlan& plan);

/// A path as the plan lets it be written. "[heap]", "pipe:[17]" and "[anon:a/b]" are no paths.
std::string_view pathToSave(std::string_view path, const SavePlan& plan);

/// What is known of modules that are gone: what the process' source recorded, and mappings that
/// outlived their deleted file and belong to no module.
std::vector<UnloadedModule> modulesGone(const Process& process);

}  // namespace icecore
