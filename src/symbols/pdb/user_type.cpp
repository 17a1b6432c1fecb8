#include "symbols/pdb/user_type.h"

namespace icecore::pdb {

std::uint64_t numericLeaf(Cursor& cursor) {
    const std::uint16_t leaf = cursor.u16();
    constexpr std::uint16_t firstCode = 0x8000;
    if (leaf < firstCode) return leaf;
    switch (leaf) {
    case 0x8000: return static_cast<std::uint64_t>(std::int64_t{cursor.i8()});
    case 0x8001: return static_cast<std::uint64_t>(std::int64_t{cursor.i16()});
    case 0x8002: return cursor.u16();
    case 0x8003: return static_cast<std::uint64_t>(std::int64_t{cursor.i32()});
    case 0x8004: return cursor.u32();
    case 0x8009: return static_cast<std::uint64_t>(cursor.i64());
    case 0x800a: return cursor.u64();
    default:
        // Floating point and text: nothing that counts bytes.
        cursor.seek(UINT64_MAX);
        return 0;
    }
}

std::optional<UserType> readUserType(const TypeRecord& record) {
    UserType type;
    type.kind = record.kind;
    Cursor cursor(record.content());
    type.count = cursor.u16();
    constexpr std::uint16_t forwardReference = 0x80, hasUniqueName = 0x200;
    const std::uint16_t properties = cursor.u16();
    type.forward = (properties & forwardReference) != 0;
    switch (record.kind) {
    case leafClass:
    case leafStructure:
    case leafInterface:
        type.fields = cursor.u32();
        cursor.skip(8);  // derivation list, shape of the function table
        type.size = numericLeaf(cursor);
        break;
    case leafUnion:
        type.fields = cursor.u32();
        type.size = numericLeaf(cursor);
        break;
    case leafEnum:
        type.underlying = cursor.u32();
        type.fields = cursor.u32();
        break;
    default: return std::nullopt;
    }
    type.name = cursor.cString();
    if (!cursor.ok()) return std::nullopt;
    if ((properties & hasUniqueName) != 0) type.uniqueName = cursor.cString();
    return type;
}

}  // namespace icecore::pdb
