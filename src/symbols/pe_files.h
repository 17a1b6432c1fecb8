// Which files hold the names of one PE module: found, checked, and told about.
#pragma once

#include <cstdint>
#include <memory>

#include "images/pe_image.h"
#include "model/process.h"
#include "symbols/breakpad/sym_file.h"
#include "symbols/pdb/pdb_file.h"
#include "symbols/symbol_locator.h"
#include "symbols/symbolizer.h"

namespace icecore {

struct PeFiles {
    ModuleSymbols info;
    std::uint64_t base = 0;  ///< runtime address of the image; 0 of a file that stands alone
    std::shared_ptr<const pdb::PdbFile> pdb;
    std::shared_ptr<const SymFile> sym;  ///< where there is no PDB
};

/// Looks for the image and for its PDB: beside the image, where the image says that its PDB is, and
/// along the symbol path. Takes only an image with the dump's time stamp and size, and a PDB with
/// the image's GUID and age; failing that a Breakpad symbol file with the same. What no image file
/// gives, the dump's own memory may.
PeFiles findPeFiles(const Process& process, const Module& module, const SymbolOptions& options);

/// The same for an image that stands alone (`symbols lookup`).
PeFiles findFilesOfPe(std::shared_ptr<const PeImage> image, const SymbolOptions& options);

/// A PDB that stands alone: there is nothing to compare it with.
PeFiles filesOfPdb(std::shared_ptr<const pdb::PdbFile> pdb);

/// What stores know a module's image and PDB by. The PDB's is empty when the module records none.
SymbolRequest imageRequest(const Module& module);
SymbolRequest pdbRequest(const Module& module);

}  // namespace icecore
