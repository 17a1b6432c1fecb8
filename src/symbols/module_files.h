// Which files hold the names of one module: found, checked, and told about.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "images/elf_image.h"
#include "model/process.h"
#include "symbols/symbolizer.h"

namespace icecore {

struct ModuleFiles {
    ModuleSymbols info;
    std::uint64_t bias = 0;                      ///< runtime minus link-time address
    std::shared_ptr<const ElfImage> debugImage;  ///< holds .debug_info; null when none does
    /// Everything with symbols of this module: debug file, image, extract of .gnu_debugdata.
    std::vector<std::shared_ptr<const ElfImage>> symbolImages;
};

/// Looks in this order, and takes nothing that does not match: the module's own file; separate
/// debug files by build-id and by debuglink; .gnu_debugdata; the directories of the symbol path;
/// debuginfod where servers are named. What no file gives, the dump's own memory may (the vdso).
ModuleFiles findModuleFiles(const Process& process, const Module& module,
                            const SymbolOptions& options);

/// As above, for a file that stands alone (`symbols lookup`): its debug files, by its own identity.
ModuleFiles findFilesOf(std::shared_ptr<const ElfImage> image, const SymbolOptions& options);

/// Path of a build-id's file below a directory: ".build-id/ab/cdef…" + suffix.
std::filesystem::path buildIdPath(std::span<const std::byte> id, std::string_view suffix);

/// Whether the image holds DWARF debugging information.
bool hasDwarf(const ElfImage& image);

}  // namespace icecore
