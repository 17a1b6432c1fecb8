// What the records of classes, structures, unions and enumerations say of themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bytes/cursor.h"
#include "symbols/pdb/type_table.h"

namespace icecore::pdb {

enum LeafKind : std::uint16_t {
    leafModifier = 0x1001,
    leafPointer = 0x1002,
    leafProcedure = 0x1008,
    leafMemberFunction = 0x1009,
    leafArgumentList = 0x1201,
    leafFieldList = 0x1203,
    leafBitField = 0x1205,
    leafBaseClass = 0x1400,
    leafVirtualBase = 0x1401,
    leafIndirectVirtualBase = 0x1402,
    leafIndex = 0x1404,
    leafFunctionTable = 0x1409,
    leafEnumerator = 0x1502,
    leafArray = 0x1503,
    leafClass = 0x1504,
    leafStructure = 0x1505,
    leafUnion = 0x1506,
    leafEnum = 0x1507,
    leafMember = 0x150d,
    leafStaticMember = 0x150e,
    leafMethodList = 0x150f,
    leafNestedType = 0x1510,
    leafOneMethod = 0x1511,
    leafInterface = 0x1519,
};

struct UserType {
    std::uint16_t kind = 0;        ///< leafClass, leafStructure, leafUnion, leafEnum, leafInterface
    std::string name;              ///< qualified: "ns::Class"
    std::string uniqueName;        ///< mangled; empty when there is none
    std::uint64_t size = 0;        ///< bytes; of an enumeration: see its type
    std::uint32_t fields = 0;      ///< the list of its members; 0 none
    std::uint32_t underlying = 0;  ///< of an enumeration
    std::uint16_t count = 0;       ///< members, as the record counts them
    bool forward = false;          ///< only declared here; the complete one has the same name
};

/// Nothing when the record is of another kind.
std::optional<UserType> readUserType(const TypeRecord& record);

/// A number inside a record: two bytes below 0x8000, else the code of the kind that follows.
/// Signed values come sign-extended.
std::uint64_t numericLeaf(Cursor& cursor);

}  // namespace icecore::pdb
