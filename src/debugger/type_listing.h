// A structure, member by member: what `dt` prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "debugger/output.h"
#include "debugger/type_text.h"

namespace icecore::debugger {

struct TypeListing {
    unsigned depth = 0;         ///< how many levels of members and pointers are followed
    bool embeddedOnly = false;  ///< -b: what lies inside is followed, pointers are not
    bool arrays = false;        ///< -a: every element of an array
    bool prefixes = false;      ///< -y: a field's beginning names it
    bool offsets = true;
    bool verbose = false;
    /// "bits", "names", "link.next", "bits." (with its members), wildcards; empty: all fields.
    std::vector<std::string> fields;
};

/// Members of `type`, a structure or enumeration, with the values at `address` when there is one.
/// False when no field was found.
bool listMembers(Session& session, Output& out, const ModuleTypes& module, TypeId type,
                 std::optional<std::uint64_t> address, const TypeListing& how);

/// Members by the part of a path up to its first '.', as listMembers finds them.
bool hasField(const TypeSource& types, TypeId type, std::string_view path, bool prefixes);

/// A field by its path: bytes from the structure's start, its type, and the structure it stands in.
struct FoundField {
    std::uint64_t offset = 0;
    TypeId type = 0;
    std::uint64_t parentOffset = 0;
    TypeId parent = 0;
    std::uint8_t bitLength = 0;  ///< 0: no bit field
    std::uint8_t bitPosition = 0;
};
std::optional<FoundField> findField(const TypeSource& types, TypeId type, std::string_view path);

/// Whether a type has members.
bool hasMembers(const TypeShape& shape);

}  // namespace icecore::debugger
