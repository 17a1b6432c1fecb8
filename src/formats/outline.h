// What the file of a dump consists of, for those who want to see how it was written.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace icecore {

/// Part by part with type, size and place, and a line about each thing in it, in the words of
/// WinDbg's `.dumpdebug`. Minidumps have it; `unsupported`, naming what shows the others.
Result<std::string> outlineOf(const std::filesystem::path& path);

}  // namespace icecore
