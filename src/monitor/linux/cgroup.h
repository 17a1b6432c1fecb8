// A process' control groups, of either version: cgroups(7).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace icecore::monitor {

/// The text of `file` in the process' group, of the unified hierarchy (version 2) when it is there,
/// else of version 1's hierarchy for `controller` ("memory"; empty: version 2 only). Empty when
/// neither has it: a process in the root group, a controller that is off, nothing mounted.
std::string cgroupFile(pid_t process, std::string_view controller, std::string_view file);

}  // namespace icecore::monitor
