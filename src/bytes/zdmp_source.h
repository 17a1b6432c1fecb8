// DumpIt's compressed files: any dump in blocks of LZNT1.
#pragma once

#include <memory>

#include "bytes/source.h"

namespace icecore {

bool isZdmp(const Source& file);
/// The content of such a file. Blocks are found by walking from one to the next; what a file that
/// was cut off has is there, and reading beyond it is an error.
Result<std::shared_ptr<const Source>> openZdmp(std::shared_ptr<const Source> file);

}  // namespace icecore
