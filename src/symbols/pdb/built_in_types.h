// The types whose numbers stand for themselves, without a record (cvinfo.h, TYPE_ENUM_e).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "symbols/type_source.h"

namespace icecore::pdb {

/// Type numbers below this are built in.
inline constexpr std::uint32_t firstRecord = 0x1000;

struct BuiltIn {
    std::uint8_t code;  ///< the number's low byte
    std::uint8_t size;  ///< bytes
    TypeKind kind;
    std::string_view name;
};

/// The type itself, whether or not the number means a pointer to it; null when it is not known.
const BuiltIn* builtIn(std::uint32_t index);
/// Bytes of the pointer to it that the number means; 0 when it means the type itself.
std::uint64_t builtInPointerSize(std::uint32_t index);
/// The number of a type by its C++ name.
std::optional<std::uint32_t> builtInType(std::string_view name);

}  // namespace icecore::pdb
