// How modules are called in commands: "libc", "python3.11", "vdso".
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/process.h"

namespace icecore::debugger {

/// The names of a process' modules: Module::shortName, and of several with one name all but the
/// first beyond 4 GiB, or else the first, get `_BASE` appended.
class ModuleNames {
public:
    /// `process` must outlive it.
    explicit ModuleNames(const Process& process);

    [[nodiscard]] const std::string& name(const Module& module) const;
    /// The module a person means: its name exactly, its file name, then the only one that begins
    /// so. Case does not count, and '_' stands for '-', '+' and '.' too, as WinDbg spells such
    /// names. Null when there is none or several begin so.
    [[nodiscard]] const Module* find(std::string_view text) const;
    /// All whose name or file name matches a pattern with wildcards.
    [[nodiscard]] std::vector<const Module*> matching(std::string_view pattern) const;

private:
    const Process& process_;
    std::vector<std::string> names_;  ///< by index in process.modules
};

}  // namespace icecore::debugger
