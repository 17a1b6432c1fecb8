// The headers of a kdump file, of 64-bit and 32-bit machines alike.
#pragma once

#include "bytes/source.h"
#include "formats/kdump/layout.h"

namespace icecore::kdump {

struct Headers {
    Header header{};
    SubHeader sub{};
};

/// Those of a 32-bit machine are widened. `malformed` where it is no kdump file, or of no pages
/// that there are; `unsupported` where the machine is big-endian.
Result<Headers> readHeaders(const Source& file);

}  // namespace icecore::kdump
