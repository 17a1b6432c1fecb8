// The regions of a process out of /proc/PID/maps and the VmFlags of /proc/PID/smaps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/issue.h"
#include "model/process.h"

namespace icecore::live {

/// Parses the text of a maps file (proc_pid_maps(5)); lines that are not understood become issues.
std::vector<Region> parseMaps(std::string_view text, Issues& issues);

/// Fills in dontDump, dontFork, wipeOnFork, io and hugeTlb from the smaps file at `path`. Regions
/// are matched by their begin; both lists ascend. The kernel walks every page table for it, which
/// takes long on a large process: the file is meant to be that of a clone.
Result<void> addRegionFlags(const std::string& path, std::vector<Region>& regions);

/// Parses one line of VmFlags ("rd wr mr …") into the region.
void applyVmFlags(std::string_view flags, Region& region);

}  // namespace icecore::live
