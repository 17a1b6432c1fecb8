// A flattened kdump file as the file it stands for.
#pragma once

#include <memory>

#include "bytes/source.h"

namespace icecore::kdump {

bool isFlattened(const Source& source);
/// Reads the headers of all records. Of a file that was cut off, the records that are whole count,
/// and `cut` is set.
Result<std::shared_ptr<const Source>> openFlattened(std::shared_ptr<const Source> file, bool& cut);

}  // namespace icecore::kdump
