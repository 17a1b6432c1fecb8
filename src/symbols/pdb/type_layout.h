// Types as debuggers show them: names, sizes, members with their offsets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "symbols/pdb/pdb_file.h"
#include "symbols/type_source.h"

namespace icecore::pdb {

struct TypeLayout {
    std::uint16_t kind = 0;  ///< leafClass, leafStructure, leafUnion, leafEnum…
    std::string name;
    std::uint64_t size = 0;  ///< bytes
    std::vector<TypeMember> members;
    bool complete = true;  ///< false: the list of members is damaged or not in the file
};

/// The members of a class, structure, union or enumeration, or of the complete type that a mere
/// declaration stands for. Nothing for other types.
std::optional<TypeLayout> typeLayout(const PdbFile& file, std::uint32_t index);

/// As in C++, without "struct": "int", "ice::Thing *", "const char *[3]", "int (int, double)".
std::string typeName(const PdbFile& file, std::uint32_t index);

/// Bytes; nothing where it is not known.
std::optional<std::uint64_t> typeSize(const PdbFile& file, std::uint32_t index);

/// A pointer's, array's or modified type's target; of anything else nothing.
std::optional<std::uint32_t> targetType(const PdbFile& file, std::uint32_t index);

}  // namespace icecore::pdb
