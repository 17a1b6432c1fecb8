// Which files hold the names of one PE module: found, checked, and told about.
#pragma once

#include <cstdint>
#include <memory>

#include "images/pe_image.h"
#include "model/process.h"
#include "symbols/symbolizer.h"

namespace icecore {

struct PeFiles {
    ModuleSymbols info;
    std::uint64_t base = 0;  ///< runtime address of the image; 0 of a file that stands alone
};

/// Looks for the image under the module's own path and in the directories of the symbol path, and
/// takes only one with the dump's time stamp and size; what no file gives, the dump's own memory
/// may.
PeFiles findPeFiles(const Process& process, const Module& module, const SymbolOptions& options);

}  // namespace icecore
