// Types as debuggers show them: names, sizes, members with their offsets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "symbols/pdb/pdb_file.h"

namespace icecore::pdb {

struct TypeMember {
    enum class Kind : std::uint8_t { data, base_class, virtual_base, static_data, enumerator };
    Kind kind = Kind::data;
    std::string name;            ///< of a base class: its type's
    std::uint64_t offset = 0;    ///< bytes; of an enumerator: its value
    std::uint32_t type = 0;      ///< index; of a bit field: the type it is a part of
    std::uint8_t bitLength = 0;  ///< 0: no bit field
    std::uint8_t bitPosition = 0;
};

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
