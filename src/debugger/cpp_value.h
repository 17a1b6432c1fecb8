// Values of C++ expressions: of the language's own types, or of those that symbols tell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "debugger/cpp_arithmetic.h"
#include "debugger/output.h"
#include "debugger/type_text.h"

namespace icecore::debugger {

/// Pointers to pointers to … a type of either kind.
struct CppType {
    Arithmetic own = Arithmetic::none;  ///< `none`: `module` and `id` say
    ModuleTypes module;  ///< without types: a function of which only the name is known
    TypeId id = 0;
    unsigned pointers = 0;  ///< levels of pointers to that

    [[nodiscard]] CppType pointer() const {
        CppType to = *this;
        ++to.pointers;
        return to;
    }
};

/// What a type is once names of types and levels of pointers are looked through.
struct CppShape {
    TypeKind kind = TypeKind::unknown;
    Arithmetic arithmetic = Arithmetic::none;  ///< of scalars that are no pointers
    std::uint64_t size = 0;
    std::optional<CppType> target;  ///< of pointers and arrays
};
CppShape shapeOf(const Session& session, const CppType& type);
/// "struct ice::Thing *", "int [3]".
std::string typeText(const CppType& type);

struct CppValue {
    CppType type;
    std::optional<std::uint64_t> address;  ///< where it lies, when in memory
    std::vector<std::byte> bytes;          ///< it, as far as it is known, when not
    std::uint8_t bitLength = 0;            ///< 0: no bit field
    std::uint8_t bitPosition = 0;
    std::string symbol;  ///< of a function: its name
};

/// A value that arithmetic can be done with.
struct Scalar {
    Arithmetic type = Arithmetic::int32;
    std::uint64_t integer = 0;       ///< sign-extended
    double real = 0;                 ///< of floating types
    std::optional<CppType> pointee;  ///< it is an address of that
};
/// `unreadable` when the dump does not have the value, `usage` for structures.
Result<Scalar> scalarOf(const Session& session, const CppValue& value);
CppValue valueOf(const Session& session, const Scalar& scalar);

/// In the words of `??`: type and value; of a structure, and of what a pointer to one leads to, the
/// members.
void printValue(Session& session, Output& out, const CppValue& value);

}  // namespace icecore::debugger
