// Expressions as C++ writes them: what `??` evaluates.
#pragma once

#include <string_view>

#include "debugger/cpp_value.h"

namespace icecore::debugger {

/// Evaluates the expression; nothing may follow it. Numbers are decimal unless they begin with 0x
/// or 0; names are variables of the frame, then global ones, then functions; `@rsp` and `@$teb` are
/// registers; `module!name` names a module. Operators: `?:`, `|| && | ^ & == != < > <= >= << >>
/// + - * / %`, unary `+ - ! ~ * &`, casts, `sizeof`, `[] . ->`, `#FIELD_OFFSET(TYPE, FIELD)`, and
/// `@@masm(…)`. What changes something (`=`, `++`) is refused: a dump stays as it is.
/// `usage` where the text is no such expression, `not_found` for names, `unreadable` for memory
/// that the dump lacks, `limit` when it is nested too deeply.
Result<CppValue> evaluateCpp(std::string_view text, const Session& session);

/// The same as an integer: what `@@c++(…)` is in other expressions.
Result<std::uint64_t> evaluateCppInteger(std::string_view text, const Session& session);

}  // namespace icecore::debugger
