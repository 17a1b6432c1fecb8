// What C++ expressions start from, and what they reach from there: names, registers, elements,
// members, values of other types.
#pragma once

#include <string>
#include <string_view>

#include "debugger/cpp_value.h"

namespace icecore::debugger {

/// A variable of the frame, a global one, or a function, in that order; "module!name" is none of
/// the frame's. `not_found` when it is none of them.
Result<CppValue> namedValue(const Session& session, const std::string& name);
/// `name` without its '@'. `$teb` and `$peb` point to what ntdll's symbols say they are.
Result<CppValue> registerNamed(const Session& session, std::string_view name);
/// `pointer[index]`, of an array too; `usage` when it is no pointer.
Result<CppValue> elementOf(const Session& session, const CppValue& pointer, std::uint64_t index);
/// `of.name`; `not_found` when there is none, `of` is no structure, or its types are not known.
Result<CppValue> memberOf(const CppValue& of, std::string_view name);
/// `(type)operand`; `usage` for structures.
Result<CppValue> castTo(const Session& session, const CppType& type, const CppValue& operand);

}  // namespace icecore::debugger
