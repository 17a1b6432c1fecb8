// Which physical addresses are memory, as the kernel tells in /proc/iomem.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/range.h"

namespace icecore::ram {

/// The ranges that lines of /proc/iomem call "System RAM", at the outermost level or inside another
/// resource, ascending. Format: Linux' kernel/resource.c, r_show. `permission` where all addresses
/// are shown as zero, which is what a reader without CAP_SYS_ADMIN sees.
Result<std::vector<Range>> parseIomem(std::string_view text);
/// The same of a file.
Result<std::vector<Range>> systemRam(const std::string& path);

}  // namespace icecore::ram
