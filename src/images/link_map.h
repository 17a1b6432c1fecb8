// The dynamic linker's own list of what it has loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/issue.h"
#include "model/process.h"

namespace icecore {

/// One entry: struct link_map of <link.h>, public part.
struct LoadedObject {
    std::uint64_t bias = 0;     ///< l_addr: runtime minus link-time address
    std::uint64_t dynamic = 0;  ///< l_ld: where its dynamic section is
    std::string name;           ///< l_name; empty for the program itself
};

/// Walks r_debug and its link maps (all namespaces), found through DT_DEBUG of the program whose
/// headers the auxiliary vector names; where those are not in the dump, by searching the memory
/// behind them. Empty for static programs and where memory lacks. Loops and
/// endless lists end with an issue.
std::vector<LoadedObject> readLinkMap(const Process& process, Issues& issues);

/// Address of the r_debug record (<link.h>) that the program's DT_DEBUG points to; nothing in
/// static programs, and before the dynamic linker has written it.
std::optional<std::uint64_t> findDebugRecord(const Process& process);

}  // namespace icecore
