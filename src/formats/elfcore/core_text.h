// A core as text and back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bytes/source.h"

namespace icecore::elfcore {

/// Every structure of the file as text that `buildCore` understands (formats/dump_text.h).
Result<std::string> describeCore(std::shared_ptr<const Source> source);
Result<std::vector<std::byte>> buildCore(std::string_view text);

}  // namespace icecore::elfcore
