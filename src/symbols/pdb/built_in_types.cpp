#include "symbols/pdb/built_in_types.h"

#include <array>

namespace icecore::pdb {

namespace {

using enum TypeKind;
constexpr std::array<BuiltIn, 32> builtIns = {{
    {0x00, 0, unknown, "<no type>"},
    {0x03, 0, nothing, "void"},
    {0x07, 0, unknown, "<type unknown>"},
    {0x08, 4, signed_integer, "HRESULT"},
    {0x10, 1, character, "signed char"},
    {0x11, 2, signed_integer, "short"},
    {0x12, 4, signed_integer, "long"},
    {0x13, 8, signed_integer, "__int64"},
    {0x14, 16, signed_integer, "__int128"},
    {0x20, 1, unsigned_character, "unsigned char"},
    {0x21, 2, unsigned_integer, "unsigned short"},
    {0x22, 4, unsigned_integer, "unsigned long"},
    {0x23, 8, unsigned_integer, "unsigned __int64"},
    {0x24, 16, unsigned_integer, "unsigned __int128"},
    {0x30, 1, boolean, "bool"},
    {0x40, 4, floating, "float"},
    {0x41, 8, floating, "double"},
    {0x42, 10, floating, "long double"},
    {0x68, 1, signed_integer, "__int8"},
    {0x69, 1, unsigned_integer, "unsigned __int8"},
    {0x70, 1, character, "char"},
    {0x71, 2, character, "wchar_t"},
    {0x72, 2, signed_integer, "short"},
    {0x73, 2, unsigned_integer, "unsigned short"},
    {0x74, 4, signed_integer, "int"},
    {0x75, 4, unsigned_integer, "unsigned int"},
    {0x76, 8, signed_integer, "__int64"},
    {0x77, 8, unsigned_integer, "unsigned __int64"},
    {0x7a, 2, character, "char16_t"},
    {0x7b, 4, character, "char32_t"},
    {0x7c, 1, unsigned_character, "char8_t"},
    {0x46, 2, floating, "_Float16"},
}};

}  // namespace

const BuiltIn* builtIn(std::uint32_t index) {
    for (const BuiltIn& type : builtIns) {
        if (type.code == (index & 0xff)) return &type;
    }
    return nullptr;
}

std::uint64_t builtInPointerSize(std::uint32_t index) {
    switch ((index >> 8) & 0xf) {
    case 0: return 0;
    case 4: return 4;
    case 6: return 8;
    case 7: return 16;
    default: return 2;
    }
}

std::optional<std::uint32_t> builtInType(std::string_view name) {
    for (const BuiltIn& type : builtIns) {
        if (type.kind != unknown && type.name == name) return type.code;
    }
    return std::nullopt;
}

}  // namespace icecore::pdb
