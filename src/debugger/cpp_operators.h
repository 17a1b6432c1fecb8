// What the operators of C++ make of two values.
#pragma once

#include <string_view>

#include "debugger/cpp_value.h"

namespace icecore::debugger {

/// Converts to the type, as assignment does; a floating value that is out of an integer's range
/// becomes its nearest end.
Scalar converted(const Scalar& scalar, Arithmetic type);
Scalar integerScalar(std::uint64_t value, Arithmetic type);

/// `a op b`: "||", "==", "<<", "+" and their like. Pointers count in objects. `usage` where the
/// types have no such operator, and for a division by zero.
Result<Scalar> combined(const Session& session, std::string_view op, const Scalar& a,
                        const Scalar& b);

}  // namespace icecore::debugger
