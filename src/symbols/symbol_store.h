// A directory that symbol files are kept in, and how a file is found there.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace icecore {

/// What is looked for: a PDB by GUID and age, an image by time stamp and size.
struct SymbolRequest {
    std::string file;   ///< "ntdll.pdb"
    std::string id;     ///< as stores spell it: "1EB9FACB04EA273B24F2C1F5B1E4A5B61"
    std::string image;  ///< "ntdll.dll": whose extension names a subfolder ("symbols/dll")
    /// What the store calls the folder, when not as the file: Breakpad's "ntdll.pdb/ID/ntdll.sym".
    std::string folder = {};
};

/// "ntdll.pdb" → "ntdll.pd_": how compressed files are called.
std::string compressedName(std::string_view file);

/// `file` below a store: FILE/ID/FILE, or fi/FILE/ID/FILE where the store has two tiers.
std::filesystem::path storePath(const SymbolRequest& request, bool twoTier);
/// Whether a directory is a store of two tiers (it has a file index2.txt).
bool isTwoTier(const std::filesystem::path& store);

/// What a person meant by a name: as it is written, else the same in other letters' case. Windows
/// does not tell case apart, and servers write as they like. Empty when there is nothing.
std::filesystem::path existingPath(const std::filesystem::path& folder,
                                   const std::filesystem::path& below);

/// Where a "file.ptr" points to. "PATH:…" or a bare path; "MSG: …" says that there is nothing.
Result<std::string> readFilePointer(const std::filesystem::path& pointer);

/// The file in a store: the file itself, what file.ptr names, or its compressed form unpacked
/// (into `unpackTo`, or beside it where that is empty). `not_found` when the store has none of
/// them.
Result<std::filesystem::path> findInStore(const std::filesystem::path& store,
                                          const SymbolRequest& request,
                                          const std::filesystem::path& unpackTo);

/// Places of a file in a plain directory, as dbghelp looks: the directory itself, its subfolders
/// named by the image's extension and "symbols/" with them.
std::vector<std::filesystem::path> flatPlaces(const std::filesystem::path& folder,
                                              const SymbolRequest& request);

/// Makes a directory and those above it. The error says which path is not writable, and why.
Result<void> makeWritableFolder(const std::filesystem::path& folder);

}  // namespace icecore
