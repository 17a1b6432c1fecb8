// The hash that PDBs keep names by.
#pragma once

#include <cstdint>
#include <string_view>

namespace icecore::pdb {

/// Of symbols and types (microsoft/microsoft-pdb, PDB/include/misc.h: LHashPbCb). The case of
/// letters does not count.
std::uint32_t hashName(std::string_view name);

}  // namespace icecore::pdb
