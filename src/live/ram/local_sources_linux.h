// This machine's own memory, through what the kernel offers.
#pragma once

#include <optional>

#include "live/ram/ram_source.h"

namespace icecore::ram {

/// A range of /proc/kcore: `address` is the kernel's virtual address, `physical` nothing where the
/// file does not tell it (kernels before 4.12).
struct KcoreSegment {
    std::uint64_t address = 0, size = 0, offset = 0;
    std::optional<std::uint64_t> physical;
};
/// Where in /proc/kcore each range of `ram` is. Segments that are no direct mapping of RAM
/// (modules, vmalloc: terabytes of nothing) have no part in it.
struct KcoreMap {
    RangeMap<std::uint64_t> offsets;  ///< by physical address, sealed
    std::vector<Range> missing;       ///< of `ram`, and not in the file
};
KcoreMap mapKcore(const std::vector<KcoreSegment>& segments, const std::vector<Range>& ram);

/// /proc/kcore, read where /proc/iomem says that there is RAM; where that hides its addresses, what
/// kcore itself calls so.
Result<RamSource> openKcore(const Paths& paths);
/// /dev/crash (Red Hat's crash driver) and /dev/mem: physical addresses as offsets. Refused where
/// the middle of the largest range cannot be read: both show the first megabyte to everybody.
Result<RamSource> openCrash(const Paths& paths);
Result<RamSource> openMem(const Paths& paths);
/// Any file or device, physical address 0 first, without the bytes of `holes`.
Result<RamSource> openFile(const std::string& path, const std::vector<Range>& holes);

/// Name, release and CPU of this machine.
SystemInfo thisSystem();

}  // namespace icecore::ram
