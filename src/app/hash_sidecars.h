// Hashes that other tools leave beside an image: LiME's NAME.sha256, sha256sum's and its like.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "formats/format.h"

namespace icecore::app {

/// Compares FILE with FILE.sha256, .sha512, .sha1 and .md5, as far as they are there. The first
/// word of each is the hash: of the file, or (as LiME has it) of what it holds unpacked.
std::vector<FormatCheck> checkSidecars(const std::string& path, Progress& progress);

}  // namespace icecore::app
