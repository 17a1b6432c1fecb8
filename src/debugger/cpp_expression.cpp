#include "debugger/cpp_expression.h"

#include <array>

#include "debugger/cpp_literals.h"
#include "debugger/cpp_operands.h"
#include "debugger/cpp_operators.h"
#include "debugger/cpp_text.h"

namespace icecore::debugger {

namespace {

/// Brackets and unary operators inside one another.
constexpr int deepest = 64;

struct BinaryOperator {
    std::string_view text;
    int strength;
};
// Longer spellings before their prefixes.
constexpr std::array<BinaryOperator, 18> binaryOperators = {{{"||", 1},
                                                             {"&&", 2},
                                                             {"==", 6},
                                                             {"!=", 6},
                                                             {"<=", 7},
                                                             {">=", 7},
                                                             {"<<", 8},
                                                             {">>", 8},
                                                             {"|", 3},
                                                             {"^", 4},
                                                             {"&", 5},
                                                             {"<", 7},
                                                             {">", 7},
                                                             {"+", 9},
                                                             {"-", 9},
                                                             {"*", 10},
                                                             {"/", 10},
                                                             {"%", 10}}};

class Evaluation {
public:
    Evaluation(std::string_view text, const Session& session)
        : text_(text, session), session_(session) {}

    Result<CppValue> run() {
        ASSIGN_OR_RETURN(CppValue value, conditional(0));
        text_.skipBlanks();
        if (!text_.ended()) return syntaxError();
        return value;
    }

private:
    bool take(std::string_view what) { return text_.take(what); }
    [[nodiscard]] std::unexpected<Error> syntaxError() const { return text_.syntaxError(); }
    Result<Scalar> scalar(const CppValue& value) const { return scalarOf(session_, value); }

    Result<CppValue> conditional(int depth) {
        if (depth > deepest) return fail(Errc::limit, "the expression is nested too deeply");
        ASSIGN_OR_RETURN(CppValue condition, binary(1, depth));
        if (!take("?")) return condition;
        ASSIGN_OR_RETURN(const Scalar chosen, scalar(condition));
        ASSIGN_OR_RETURN(CppValue first, conditional(depth + 1));
        if (!take(":")) return syntaxError();
        ASSIGN_OR_RETURN(CppValue second, conditional(depth + 1));
        return converted(chosen, Arithmetic::boolean).integer != 0 ? std::move(first)
                                                                   : std::move(second);
    }

    /// The operator that stands here, or null.
    Result<const BinaryOperator*> operatorHere() {
        text_.skipBlanks();
        for (const BinaryOperator& op : binaryOperators) {
            if (!text_.here().starts_with(op.text)) continue;
            const char next = text_.peek(op.text.size());
            const bool compares = op.strength == 6 || op.strength == 7;
            if (next == '=' && !compares)
                return fail(Errc::usage, "a dump cannot be changed: assignments are refused");
            return &op;
        }
        if (text_.peek() == '=')
            return fail(Errc::usage, "a dump cannot be changed: assignments are refused");
        return nullptr;
    }

    Result<CppValue> binary(int strength, int depth) {
        ASSIGN_OR_RETURN(CppValue left, unary(depth));
        while (true) {
            ASSIGN_OR_RETURN(const BinaryOperator* op, operatorHere());
            if (op == nullptr || op->strength < strength) return left;
            text_.advance(op->text.size());
            ASSIGN_OR_RETURN(const CppValue right, binary(op->strength + 1, depth));
            ASSIGN_OR_RETURN(const Scalar a, scalar(left));
            ASSIGN_OR_RETURN(const Scalar b, scalar(right));
            ASSIGN_OR_RETURN(const Scalar result, combined(session_, op->text, a, b));
            left = valueOf(session_, result);
        }
    }

    Result<CppValue> unary(int depth) {
        if (depth > deepest) return fail(Errc::limit, "the expression is nested too deeply");
        text_.skipBlanks();
        const char c = text_.peek();
        if ((c == '+' || c == '-') && text_.peek(1) == c)
            return fail(Errc::usage, "a dump cannot be changed: ++ and -- are refused");
        if (c == '-' || c == '+' || c == '!' || c == '~') {
            text_.advance(1);
            ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
            ASSIGN_OR_RETURN(const Scalar value, scalar(operand));
            if (c == '!') {
                const bool zero = converted(value, Arithmetic::boolean).integer == 0;
                return valueOf(session_, integerScalar(zero ? 1 : 0, Arithmetic::boolean));
            }
            if (c == '+') return valueOf(session_, value);
            const Scalar other = integerScalar(c == '~' ? UINT64_MAX : 0, Arithmetic::int32);
            ASSIGN_OR_RETURN(const Scalar result,
                             combined(session_, c == '~' ? "^" : "-", other, value));
            return valueOf(session_, result);
        }
        if (c == '*') {
            text_.advance(1);
            ASSIGN_OR_RETURN(const CppValue pointer, unary(depth + 1));
            return elementOf(session_, pointer, 0);
        }
        if (c == '&') {
            text_.advance(1);
            ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
            if (!operand.address || operand.bitLength != 0)
                return fail(Errc::usage, "only what lies in memory has an address");
            Scalar to = integerScalar(*operand.address, Arithmetic::uint64);
            to.pointee = operand.type;
            return valueOf(session_, to);
        }
        if (c == '(') {
            if (const auto type = text_.takeCast()) {
                ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
                return castTo(session_, *type, operand);
            }
        }
        return postfix(depth);
    }

    Result<CppValue> postfix(int depth) {
        ASSIGN_OR_RETURN(CppValue value, primary(depth));
        while (true) {
            if (take("[")) {
                ASSIGN_OR_RETURN(const CppValue index, conditional(depth + 1));
                if (!take("]")) return syntaxError();
                ASSIGN_OR_RETURN(const Scalar number, scalar(index));
                ASSIGN_OR_RETURN(value, elementOf(session_, value,
                                                  converted(number, Arithmetic::int64).integer));
            } else if (take("->")) {
                ASSIGN_OR_RETURN(const CppValue to, elementOf(session_, value, 0));
                ASSIGN_OR_RETURN(value, member(to));
            } else if (take(".")) {
                // A reference is a pointer to the debugger, and reads like what it refers to.
                const bool reference = shapeOf(session_, value.type).kind == TypeKind::pointer;
                CppValue of = value;
                if (reference) {
                    ASSIGN_OR_RETURN(of, elementOf(session_, value, 0));
                }
                ASSIGN_OR_RETURN(value, member(of));
            } else {
                if (text_.here().starts_with("++") || text_.here().starts_with("--"))
                    return fail(Errc::usage, "a dump cannot be changed: ++ and -- are refused");
                return value;
            }
        }
    }

    /// The member of `of` whose name stands here.
    Result<CppValue> member(const CppValue& of) {
        text_.skipBlanks();
        const std::string_view name = text_.takeWord();
        if (name.empty()) return syntaxError();
        return memberOf(of, name);
    }

    Result<CppValue> primary(int depth) {
        text_.skipBlanks();
        const char c = text_.peek();
        if (take("(")) {
            ASSIGN_OR_RETURN(CppValue inside, conditional(depth + 1));
            if (!take(")")) return syntaxError();
            return inside;
        }
        if (c == '@') return registerOrMasm();
        if (c == '#') return fieldOffset();
        if (c == '\'') return literal(takeCharacter);
        if (c == '"') return fail(Errc::usage, "String literals are not allowed");
        if ((c >= '0' && c <= '9') || (c == '.' && text_.peek(1) >= '0' && text_.peek(1) <= '9'))
            return literal(takeNumber);
        if (!text_.atName()) return syntaxError();
        const std::size_t begin = text_.position();
        const std::string name = text_.takeName();
        if (name == "sizeof") return sizeOfOperand(depth);
        if (name == "true" || name == "false")
            return valueOf(session_, integerScalar(name == "true" ? 1 : 0, Arithmetic::boolean));
        auto found = namedValue(session_, name);
        if (!found) text_.moveTo(begin);
        return found;
    }

    /// `@rsp`, `@$teb`, `@@masm(…)`, `@@c++(…)`.
    Result<CppValue> registerOrMasm() {
        if (!take("@@")) {
            text_.advance(1);
            const std::string_view name = text_.takeWord();
            if (name.empty()) return syntaxError();
            return registerNamed(session_, name);
        }
        const bool cpp = take("c++");
        if (!cpp) take("masm");
        if (!take("(")) return syntaxError();
        const auto inside = text_.takeToClosing();
        if (!inside) return syntaxError();
        // Only the other language: each leaves the nesting to the other otherwise.
        if (cpp) return fail(Errc::usage, "this is a C++ expression already");
        if (inside->find("@@") != std::string_view::npos)
            return fail(Errc::usage, "the languages do not nest");
        ASSIGN_OR_RETURN(const std::uint64_t value, evaluate(*inside, session_));
        return valueOf(session_, integerScalar(value, Arithmetic::uint64));
    }

    Result<CppValue> sizeOfOperand(int depth) {
        std::optional<CppType> type;
        text_.skipBlanks();
        if (text_.peek() == '(') type = text_.takeCast();
        if (!type) {
            ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
            type = operand.type;
        }
        return valueOf(session_, integerScalar(shapeOf(session_, *type).size, Arithmetic::uint64));
    }

    Result<CppValue> fieldOffset() {
        if (!take("#FIELD_OFFSET") || !take("(")) return syntaxError();
        const auto type = text_.takeType();
        if (!type || !take(",")) return syntaxError();
        CppValue null;
        null.type = *type;
        null.address = 0;
        ASSIGN_OR_RETURN(const CppValue field, member(null));
        if (!take(")")) return syntaxError();
        return valueOf(session_, integerScalar(*field.address, Arithmetic::int32));
    }

    using Literal = Result<Scalar> (*)(std::string_view& text);
    Result<CppValue> literal(Literal reader) {
        std::string_view rest = text_.here();
        ASSIGN_OR_RETURN(const Scalar value, reader(rest));
        text_.advance(text_.here().size() - rest.size());
        return valueOf(session_, value);
    }

    CppText text_;
    const Session& session_;
};

}  // namespace

Result<CppValue> evaluateCpp(std::string_view text, const Session& session) {
    return Evaluation(text, session).run();
}

Result<std::uint64_t> evaluateCppInteger(std::string_view text, const Session& session) {
    ASSIGN_OR_RETURN(const CppValue value, evaluateCpp(text, session));
    ASSIGN_OR_RETURN(const Scalar scalar, scalarOf(session, value));
    return converted(scalar, isFloating(scalar.type) ? Arithmetic::int64 : scalar.type).integer;
}

}  // namespace icecore::debugger
