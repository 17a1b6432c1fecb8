// Images of memory as a user would have icecore convert, take and verify them.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "kit/run.h"

namespace icecore::bench {

/// Runs `icecore VERB…`. An error tells what it said; losses that it names (what the target format
/// has no place for) are none.
Result<Run> icecore(const std::vector<std::string>& arguments);

/// Any other program: an error tells what it said.
Result<Run> succeed(const Command& command);

/// Nobody pays for the writing of someone else, nor for removing a file that is replaced.
void settle(const std::string& replaced);

/// Reads a file, so that the page cache has it: what was written with O_DIRECT is not there.
Result<void> inMemory(const std::string& path);

/// "dd conv=fsync" and "dd oflag=direct": what copies of a file cost, until the disk has them.
Command bufferedCopy(const std::string& from, const std::string& to);
Command directCopy(const std::string& from, const std::string& to);

}  // namespace icecore::bench
