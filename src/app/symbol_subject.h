// The files that `icecore symbols` is asked about: dumps, images, PDBs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "images/elf_image.h"
#include "images/pe_image.h"
#include "model/snapshot.h"
#include "symbols/module_reader.h"
#include "symbols/pdb/pdb_file.h"

namespace icecore::app {

/// A file named on the command line; exactly one of the four is there.
struct Subject {
    std::optional<Snapshot> dump;
    std::shared_ptr<const ElfImage> elf;
    std::shared_ptr<const PeImage> pe;
    std::shared_ptr<const pdb::PdbFile> pdb;
};
Result<Subject> openSubject(const std::string& path);

/// The symbols of one file, its separate debug files looked for by `options`.
struct FileReader {
    std::unique_ptr<ModuleReader> reader;
    /// What is added to an address relative to the image's base for the reader, and taken from one
    /// that counts from where the image would like to be.
    std::uint64_t base = 0, preferred = 0;
};
/// An error for a dump: its addresses are those of a process.
Result<FileReader> openReader(const std::string& path, const SymbolOptions& options);

}  // namespace icecore::app
