// Reading ELF cores of processes.
#pragma once

#include <memory>

#include "bytes/source.h"
#include "model/snapshot.h"

namespace icecore {

/// Little-endian, 32 or 64 bits. Fails only where not even the ELF header is readable; everything
/// else that is missing or damaged becomes an issue. Memory stays in the file.
Result<Snapshot> readElfCore(std::shared_ptr<const Source> source);

}  // namespace icecore
