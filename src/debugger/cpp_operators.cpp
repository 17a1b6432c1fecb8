#include "debugger/cpp_operators.h"

#include <fmt/format.h>

#include <algorithm>

namespace icecore::debugger {

namespace {

Scalar truth(bool value) {
    return integerScalar(value ? 1 : 0, Arithmetic::boolean);
}

/// A pointer and a number, or the distance of two pointers.
Result<Scalar> moved(const Session& session, std::string_view op, const Scalar& a,
                     const Scalar& b) {
    const CppType& to = a.pointee ? *a.pointee : *b.pointee;
    const std::uint64_t size = std::max<std::uint64_t>(shapeOf(session, to).size, 1);
    if (a.pointee && b.pointee) {
        if (op == "+") return fail(Errc::usage, "two pointers cannot be added");
        const auto distance = static_cast<std::int64_t>(a.integer - b.integer);
        const auto each = static_cast<std::int64_t>(std::min<std::uint64_t>(size, INT64_MAX));
        return integerScalar(static_cast<std::uint64_t>(distance / each), Arithmetic::int64);
    }
    if (op == "-" && !a.pointee)
        return fail(Errc::usage, "a pointer cannot be taken from a number");
    Scalar out = a.pointee ? a : b;
    const std::uint64_t steps = converted(a.pointee ? b : a, Arithmetic::int64).integer * size;
    out.integer = op == "+" ? out.integer + steps : out.integer - steps;
    if (session.pointerSize() == 4) out.integer &= UINT32_MAX;
    return out;
}

/// The wider of the two, int at least, without a sign when one of them has none: as Windows'
/// debuggers do, of operands narrower than int too.
Arithmetic common(Arithmetic a, Arithmetic b) {
    if (isFloating(a) || isFloating(b)) return std::max(a, b);
    const bool wide = std::max(sizeOf(a), sizeOf(b)) > 4;
    const auto without = [](Arithmetic type) {
        return !isSigned(type) && type != Arithmetic::boolean;
    };
    if (without(a) || without(b)) return wide ? Arithmetic::uint64 : Arithmetic::uint32;
    return wide ? Arithmetic::int64 : Arithmetic::int32;
}

/// `a op b` of operands that are comparable; nothing for another operator.
template <class Number>
std::optional<Scalar> compared(std::string_view op, Number a, Number b) {
    if (op == "==") return truth(a == b);
    if (op == "!=") return truth(a != b);
    if (op == "<") return truth(a < b);
    if (op == ">") return truth(a > b);
    if (op == "<=") return truth(a <= b);
    if (op == ">=") return truth(a >= b);
    return std::nullopt;
}

Result<Scalar> ofReals(std::string_view op, const Scalar& a, const Scalar& b) {
    if (const auto order = compared(op, a.real, b.real)) return *order;
    Scalar out;
    out.type = a.type;
    if (op == "+") {
        out.real = a.real + b.real;
    } else if (op == "-") {
        out.real = a.real - b.real;
    } else if (op == "*") {
        out.real = a.real * b.real;
    } else if (op == "/") {
        if (b.real == 0) return fail(Errc::usage, "Divide by zero");
        out.real = a.real / b.real;
    } else {
        return fail(Errc::usage, fmt::format("'{}' needs integers", op));
    }
    return converted(out, out.type);
}

Result<std::uint64_t> divided(std::string_view op, std::uint64_t a, std::uint64_t b,
                              bool isSigned) {
    if (b == 0) return fail(Errc::usage, "Divide by zero");
    if (!isSigned) return op == "/" ? a / b : a % b;
    const auto x = static_cast<std::int64_t>(a), y = static_cast<std::int64_t>(b);
    if (y == -1) return op == "/" ? 0 - a : 0;  // the least number has no counterpart
    return static_cast<std::uint64_t>(op == "/" ? x / y : x % y);
}

Result<Scalar> ofIntegers(std::string_view op, std::uint64_t a, std::uint64_t b, Arithmetic type) {
    const bool negative = isSigned(type);
    const auto x = static_cast<std::int64_t>(a), y = static_cast<std::int64_t>(b);
    if (const auto order = negative ? compared(op, x, y) : compared(op, a, b)) return *order;
    std::uint64_t value = 0;
    if (op == "+") value = a + b;
    if (op == "-") value = a - b;
    if (op == "*") value = a * b;
    if (op == "&") value = a & b;
    if (op == "|") value = a | b;
    if (op == "^") value = a ^ b;
    if (op == "<<") value = b < 64 ? a << b : 0;
    if (op == ">>" && negative)
        value = static_cast<std::uint64_t>(x >> std::min<std::uint64_t>(b, 63));
    if (op == ">>" && !negative) value = b < 64 ? a >> b : 0;
    if (op == "/" || op == "%") {
        ASSIGN_OR_RETURN(value, divided(op, a, b, negative));
    }
    return converted(integerScalar(value, type), type);
}

}  // namespace

Scalar integerScalar(std::uint64_t value, Arithmetic type) {
    Scalar out;
    out.type = type;
    out.integer = value;
    return out;
}

Scalar converted(const Scalar& scalar, Arithmetic type) {
    Scalar out;
    out.type = type;
    const bool fromReal = isFloating(scalar.type);
    if (isFloating(type)) {
        out.real = scalar.real;
        if (!fromReal && isSigned(scalar.type))
            out.real = static_cast<double>(static_cast<std::int64_t>(scalar.integer));
        else if (!fromReal)
            out.real = static_cast<double>(scalar.integer);
        if (type == Arithmetic::float32)
            out.real = static_cast<double>(static_cast<float>(out.real));
        return out;
    }
    if (type == Arithmetic::boolean) {
        out.integer = fromReal ? (scalar.real != 0 ? 1 : 0) : (scalar.integer != 0 ? 1 : 0);
        return out;
    }
    std::uint64_t value = scalar.integer;
    if (fromReal) {
        constexpr double end = 9223372036854775808.0;  // 2^63
        if (scalar.real >= end)
            value = static_cast<std::uint64_t>(INT64_MAX);
        else if (scalar.real > -end)
            value = static_cast<std::uint64_t>(static_cast<std::int64_t>(scalar.real));
        else  // and what is no number
            value = scalar.real <= -end ? static_cast<std::uint64_t>(INT64_MIN) : 0;
    }
    out.integer = extended(value, static_cast<unsigned>(8 * sizeOf(type)), isSigned(type));
    return out;
}

Result<Scalar> combined(const Session& session, std::string_view op, const Scalar& a,
                        const Scalar& b) {
    if (op == "||" || op == "&&") {
        const bool x = converted(a, Arithmetic::boolean).integer != 0;
        const bool y = converted(b, Arithmetic::boolean).integer != 0;
        return truth(op == "||" ? x || y : x && y);
    }
    if ((op == "+" || op == "-") && (a.pointee || b.pointee)) return moved(session, op, a, b);
    const Arithmetic type = common(a.type, b.type);
    const Scalar left = converted(a, type), right = converted(b, type);
    return isFloating(type) ? ofReals(op, left, right)
                            : ofIntegers(op, left.integer, right.integer, type);
}

}  // namespace icecore::debugger
