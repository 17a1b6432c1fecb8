// /proc/PID/maps as text, to regions and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/issue.h"
#include "model/process.h"

namespace icecore {

/// Parses the text of /proc/PID/maps (proc(5)). Lines that make no sense become one issue and are
/// left out; overlapping or unsorted ones too. Names keep what the kernel wrote (" (deleted)").
std::vector<Region> parseLinuxMaps(std::string_view text, Issues& issues);

/// The kind a mapping has by its name and flags alone; whether a file belongs to a module is for
/// others to say.
RegionKind kindByName(std::string_view name, bool shared, std::uint64_t inode);

/// A file's name without the " (deleted)" that the kernel puts behind it once it is gone.
std::string_view withoutDeletedMark(std::string_view name);
/// Whether the mapping's file has been deleted.
bool outlivedItsFile(const Region& region);
/// Whether a shared mapping is of a file that no directory names (memfd, System V, /dev/zero, or
/// deleted): what the kernel calls anonymous shared memory.
bool isAnonymousShared(const Region& region);

/// The text the kernel would have written for these regions.
std::string printLinuxMaps(const std::vector<Region>& regions);

}  // namespace icecore
