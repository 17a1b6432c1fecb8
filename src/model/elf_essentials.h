// What a small dump must keep of ELF modules so that a reader can find and name them: headers,
// notes, the dynamic linker's list; and where their segments lie.
//
// This looks at program headers in memory and nothing else, as every plan needs just that much;
// src/images reads whole ELF files.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/process.h"

namespace icecore {

/// One program header, with its address as loaded.
struct LoadedSegment {
    std::uint32_t type = 0;   ///< PT_…
    std::uint32_t flags = 0;  ///< PF_…
    Range range;              ///< bytes in memory; not rounded to pages
};

/// The program headers of the module whose ELF header lies at `base`; empty when there is no
/// readable ELF header.
std::vector<LoadedSegment> loadedSegments(const Process& process, std::uint64_t base);

/// The load bias of that module: its address less the one in its own headers. Nothing when the
/// headers cannot be read.
std::optional<std::uint64_t> loadBias(const Process& process, std::uint64_t base);

/// Where the dynamic linker's struct r_debug (link.h) is: DT_DEBUG of the program that the
/// auxiliary vector names. 0 for a static program and where the memory does not show it.
std::uint64_t linkerDebugAddress(const Process& process);

/// The dynamic linker's bookkeeping: the program's dynamic section, r_debug, every link_map with
/// its name. Empty for a static program and where the memory does not show it. Ascending,
/// disjoint.
std::vector<Range> linkerList(const Process& process);

/// Thread-local storage of one thread: its thread control block with the static block, and the
/// blocks in its dtv. `staticSize` bytes may lie below (x86) or above (arm64) the thread pointer,
/// `blockSize` is how much of each dynamic block is taken.
std::vector<Range> threadLocalStorage(const Process& process, const Thread& thread,
                                      std::uint64_t staticSize, std::uint64_t blockSize);

}  // namespace icecore
