// The symbol path as people write it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace icecore {

/// The directories of a symbol path, in order: separated by ';' or, where no drive letter or URL
/// is meant, ':'. "cache*DIR" and the caches of "srv*…" are directories too; servers are not.
std::vector<std::string> symbolPathFolders(std::string_view path);

}  // namespace icecore
