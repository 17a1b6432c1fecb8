#include "debugger/cpp_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "debugger/cpp_literals.h"
#include "debugger/cpp_operators.h"
#include "debugger/frame_variables.h"
#include "debugger/named_type.h"
#include "debugger/symbol_text.h"
#include "debugger/type_listing.h"

namespace icecore::debugger {

namespace {

/// Brackets and unary operators inside one another.
constexpr int deepest = 64;
constexpr unsigned mostPointers = 8;

bool isNameStart(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}
bool isNamePart(char c) {
    return isNameStart(c) || (c >= '0' && c <= '9');
}

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
    Evaluation(std::string_view text, const Session& session) : text_(text), session_(session) {}

    Result<CppValue> run() {
        ASSIGN_OR_RETURN(CppValue value, conditional(0));
        skipBlanks();
        if (at_ < text_.size()) return syntaxError();
        return value;
    }

private:
    void skipBlanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
    }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] std::string_view here() const {
        return text_.substr(std::min(at_, text_.size()));
    }
    bool take(std::string_view what) {
        skipBlanks();
        if (!here().starts_with(what)) return false;
        at_ += what.size();
        return true;
    }
    [[nodiscard]] std::unexpected<Error> syntaxError() const {
        return fail(Errc::usage, here().empty()
                                     ? std::string("Syntax error at '<EOL>'")
                                     : fmt::format("Syntax error at '{}'", printable(here())));
    }
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
        skipBlanks();
        for (const BinaryOperator& op : binaryOperators) {
            if (!here().starts_with(op.text)) continue;
            const char next = peek(op.text.size());
            const bool compares = op.strength == 6 || op.strength == 7;
            if (next == '=' && !compares)
                return fail(Errc::usage, "a dump cannot be changed: assignments are refused");
            return &op;
        }
        if (peek() == '=')
            return fail(Errc::usage, "a dump cannot be changed: assignments are refused");
        return nullptr;
    }

    Result<CppValue> binary(int strength, int depth) {
        ASSIGN_OR_RETURN(CppValue left, unary(depth));
        while (true) {
            ASSIGN_OR_RETURN(const BinaryOperator* op, operatorHere());
            if (op == nullptr || op->strength < strength) return left;
            at_ += op->text.size();
            ASSIGN_OR_RETURN(const CppValue right, binary(op->strength + 1, depth));
            ASSIGN_OR_RETURN(const Scalar a, scalar(left));
            ASSIGN_OR_RETURN(const Scalar b, scalar(right));
            ASSIGN_OR_RETURN(const Scalar result, combined(session_, op->text, a, b));
            left = valueOf(session_, result);
        }
    }

    Result<CppValue> unary(int depth) {
        if (depth > deepest) return fail(Errc::limit, "the expression is nested too deeply");
        skipBlanks();
        const char c = peek();
        if ((c == '+' || c == '-') && peek(1) == c)
            return fail(Errc::usage, "a dump cannot be changed: ++ and -- are refused");
        if (c == '-' || c == '+' || c == '!' || c == '~') {
            ++at_;
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
            ++at_;
            ASSIGN_OR_RETURN(const CppValue pointer, unary(depth + 1));
            return element(pointer, 0);
        }
        if (c == '&') {
            ++at_;
            ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
            if (!operand.address || operand.bitLength != 0)
                return fail(Errc::usage, "only what lies in memory has an address");
            Scalar to = integerScalar(*operand.address, Arithmetic::uint64);
            to.pointee = operand.type;
            return valueOf(session_, to);
        }
        if (c == '(') {
            if (const auto type = takeCast()) {
                ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
                return cast(*type, operand);
            }
        }
        return postfix(depth);
    }

    /// `(TYPE)` here; stays where it is when there is none.
    std::optional<CppType> takeCast() {
        const std::size_t begin = at_;
        ++at_;
        auto type = takeType();
        if (type && take(")")) return type;
        at_ = begin;
        return std::nullopt;
    }

    /// A type's name and its stars.
    std::optional<CppType> takeType() {
        skipBlanks();
        CppType type;
        std::string words;
        while (true) {
            skipBlanks();
            const std::size_t before = at_;
            while (isNamePart(peek()))
                ++at_;
            const std::string_view word = text_.substr(before, at_ - before);
            if (word == "const" || word == "volatile" || word == "struct" || word == "class" ||
                word == "union" || word == "enum")
                continue;
            const std::string more =
                words.empty() ? std::string(word) : fmt::format("{} {}", words, word);
            if (word.empty() || !arithmeticNamed(more)) {
                at_ = before;
                break;
            }
            words = more;
        }
        if (!words.empty()) {
            type.own = *arithmeticNamed(words);
        } else {
            const std::string name = takeName();
            if (name.empty()) return std::nullopt;
            const auto found = findNamedType(session_, name);
            if (!found || found->variable) return std::nullopt;
            type.module = found->module;
            type.id = found->type;
        }
        while (type.pointers < mostPointers && take("*"))
            ++type.pointers;
        return type;
    }

    Result<CppValue> cast(const CppType& type, const CppValue& operand) const {
        const CppShape shape = shapeOf(session_, type);
        ASSIGN_OR_RETURN(const Scalar from, scalar(operand));
        if (shape.kind == TypeKind::pointer) {
            CppValue out = valueOf(session_, converted(from, Arithmetic::uint64));
            out.bytes.resize(session_.pointerSize());
            out.type = type;
            return out;
        }
        if (shape.arithmetic == Arithmetic::none)
            return fail(Errc::usage, fmt::format("nothing can be made a '{}'", typeText(type)));
        CppValue out = valueOf(session_, converted(from, shape.arithmetic));
        out.type = type;
        return out;
    }

    /// `pointer[index]`, of an array too.
    Result<CppValue> element(const CppValue& pointer, std::uint64_t index) const {
        ASSIGN_OR_RETURN(const Scalar to, scalar(pointer));
        if (!to.pointee) {
            return fail(Errc::usage, fmt::format("'{}' is no pointer", typeText(pointer.type)));
        }
        const std::uint64_t size = std::max<std::uint64_t>(shapeOf(session_, *to.pointee).size, 1);
        CppValue out;
        out.type = *to.pointee;
        out.address = to.integer + index * size;
        if (session_.pointerSize() == 4) *out.address &= UINT32_MAX;
        return out;
    }

    Result<CppValue> postfix(int depth) {
        ASSIGN_OR_RETURN(CppValue value, primary(depth));
        while (true) {
            if (take("[")) {
                ASSIGN_OR_RETURN(const CppValue index, conditional(depth + 1));
                if (!take("]")) return syntaxError();
                ASSIGN_OR_RETURN(const Scalar number, scalar(index));
                ASSIGN_OR_RETURN(value,
                                 element(value, converted(number, Arithmetic::int64).integer));
            } else if (take("->")) {
                ASSIGN_OR_RETURN(const CppValue to, element(value, 0));
                ASSIGN_OR_RETURN(value, member(to));
            } else if (take(".")) {
                // A reference is a pointer to the debugger, and reads like what it refers to.
                const bool reference = shapeOf(session_, value.type).kind == TypeKind::pointer;
                CppValue of = value;
                if (reference) {
                    ASSIGN_OR_RETURN(of, element(value, 0));
                }
                ASSIGN_OR_RETURN(value, member(of));
            } else {
                if (here().starts_with("++") || here().starts_with("--"))
                    return fail(Errc::usage, "a dump cannot be changed: ++ and -- are refused");
                return value;
            }
        }
    }

    Result<CppValue> member(const CppValue& of) {
        skipBlanks();
        const std::size_t begin = at_;
        while (isNamePart(peek()))
            ++at_;
        const std::string_view name = text_.substr(begin, at_ - begin);
        if (name.empty()) return syntaxError();
        const bool structure = of.type.own == Arithmetic::none && of.type.pointers == 0 &&
                               of.type.module.types != nullptr;
        const auto field =
            structure ? findField(*of.type.module.types, of.type.id, name) : std::nullopt;
        if (!field) {
            return fail(Errc::not_found,
                        fmt::format("'{}' has no member '{}'", typeText(of.type), printable(name)));
        }
        CppValue out;
        out.type = CppType{Arithmetic::none, of.type.module, field->type, 0};
        out.bitLength = field->bitLength;
        out.bitPosition = field->bitPosition;
        if (of.address) {
            out.address = *of.address + field->offset;
        } else if (field->offset < of.bytes.size()) {
            out.bytes.assign(of.bytes.begin() + static_cast<std::ptrdiff_t>(field->offset),
                             of.bytes.end());
        }
        return out;
    }

    Result<CppValue> primary(int depth) {
        skipBlanks();
        const char c = peek();
        if (take("(")) {
            ASSIGN_OR_RETURN(CppValue inside, conditional(depth + 1));
            if (!take(")")) return syntaxError();
            return inside;
        }
        if (c == '@') return registerOrMasm();
        if (c == '#') return fieldOffset();
        if (c == '\'') return literal(takeCharacter);
        if (c == '"') return fail(Errc::usage, "String literals are not allowed");
        if ((c >= '0' && c <= '9') || (c == '.' && peek(1) >= '0' && peek(1) <= '9'))
            return literal(takeNumber);
        if (!isNameStart(c)) return syntaxError();
        const std::size_t begin = at_;
        const std::string name = takeName();
        if (name == "sizeof") return sizeOfOperand(depth);
        if (name == "true" || name == "false")
            return valueOf(session_, integerScalar(name == "true" ? 1 : 0, Arithmetic::boolean));
        auto found = named(name);
        if (!found) at_ = begin;
        return found;
    }

    /// `module!ns::name<int>`: what stands in angle brackets belongs to it when that is a name.
    std::string takeName() {
        const std::size_t begin = at_;
        const auto plain = [&] {
            while (isNamePart(peek()) || (peek() == ':' && peek(1) == ':') || peek() == '~')
                at_ += peek() == ':' ? 2 : 1;
        };
        // "module!": names of modules hold more than others.
        std::size_t bang = at_;
        while (bang < text_.size() && (isNamePart(text_[bang]) || text_[bang] == '.' ||
                                       text_[bang] == '-' || text_[bang] == '+'))
            ++bang;
        if (bang > at_ && bang + 1 < text_.size() && text_[bang] == '!' && text_[bang + 1] != '=' &&
            session_.isModule(text_.substr(at_, bang - at_)))
            at_ = bang + 1;
        plain();
        while (peek() == '<') {
            const std::size_t kept = at_;
            int open = 0;
            while (at_ < text_.size()) {
                const char c = text_[at_++];
                open += c == '<' ? 1 : c == '>' ? -1 : 0;
                if (open == 0) break;
            }
            plain();
            if (open != 0 || !findNamedType(session_, text_.substr(begin, at_ - begin))) {
                at_ = kept;
                break;
            }
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    Result<CppValue> named(const std::string& name) const {
        const bool qualified = name.find('!') != std::string::npos;
        if (!qualified && !session_.process().threads.empty()) {
            if (auto local = localVariable(name)) return *std::move(local);
        }
        if (const auto global = findNamedType(session_, name); global && global->variable) {
            if (!global->address)
                return fail(Errc::not_found, fmt::format("'{}' has no address", printable(name)));
            CppValue out;
            out.type = CppType{Arithmetic::none, global->module, global->type, 0};
            out.address = global->address;
            return out;
        }
        const auto address = session_.symbolValue(name);
        if (!address) {
            return fail(Errc::not_found,
                        fmt::format("Couldn't resolve error at '{}'", printable(name)));
        }
        CppValue out;
        out.address = *address;
        out.symbol = symbolOrAddressText(session_, *address);
        return out;
    }

    [[nodiscard]] std::optional<CppValue> localVariable(std::string_view name) const {
        const auto frame = frameVariables(session_);
        if (!frame) return std::nullopt;
        for (const Variable& variable : frame->variables) {
            if (variable.name != name) continue;
            const VariableValue value = locateVariable(session_, *frame, variable);
            CppValue out;
            out.type = CppType{Arithmetic::none, frame->module, variable.type, 0};
            out.address = value.address;
            out.bytes = value.bytes;
            return out;
        }
        return std::nullopt;
    }

    /// `@rsp`, `@$teb`, `@@masm(…)`, `@@c++(…)`.
    Result<CppValue> registerOrMasm() {
        if (take("@@")) {
            const bool cpp = take("c++");
            if (!cpp) take("masm");
            if (!take("(")) return syntaxError();
            const std::size_t begin = at_;
            int open = 1;
            while (at_ < text_.size() && open > 0) {
                open += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
                ++at_;
            }
            if (open > 0) return syntaxError();
            const std::string_view inside = text_.substr(begin, at_ - 1 - begin);
            // Only the other language: each leaves the nesting to the other otherwise.
            if (cpp) return fail(Errc::usage, "this is a C++ expression already");
            if (inside.find("@@") != std::string_view::npos)
                return fail(Errc::usage, "the languages do not nest");
            ASSIGN_OR_RETURN(const std::uint64_t value, evaluate(inside, session_));
            return valueOf(session_, integerScalar(value, Arithmetic::uint64));
        }
        ++at_;
        const std::size_t begin = at_;
        while (isNamePart(peek()))
            ++at_;
        const std::string_view name = text_.substr(begin, at_ - begin);
        if (name.empty()) return syntaxError();
        const auto value = session_.registerValue(name);
        if (!value) {
            return fail(Errc::not_found,
                        fmt::format("Bad register error at '@{}'", printable(name)));
        }
        CppValue out = valueOf(session_, integerScalar(*value, Arithmetic::uint64));
        const std::string_view block = equalsIgnoreCase(name, "$teb")   ? "_TEB"
                                       : equalsIgnoreCase(name, "$peb") ? "_PEB"
                                                                        : "";
        if (block.empty()) return out;
        out.bytes.resize(session_.pointerSize());
        const Module* ntdll = session_.ntdll(session_.pointerSize());
        const auto type = findNamedType(
            session_,
            fmt::format("{}!{}", ntdll != nullptr ? session_.moduleNames().name(*ntdll) : "ntdll",
                        block));
        out.type = CppType{};
        if (type) {
            out.type.module = type->module;
            out.type.id = type->type;
        } else {
            out.type.own = Arithmetic::unsigned_character;
        }
        out.type.pointers = 1;
        return out;
    }

    Result<CppValue> sizeOfOperand(int depth) {
        std::optional<CppType> type;
        skipBlanks();
        if (peek() == '(') type = takeCast();
        if (!type) {
            ASSIGN_OR_RETURN(const CppValue operand, unary(depth + 1));
            type = operand.type;
        }
        return valueOf(session_, integerScalar(shapeOf(session_, *type).size, Arithmetic::uint64));
    }

    Result<CppValue> fieldOffset() {
        if (!take("#FIELD_OFFSET") || !take("(")) return syntaxError();
        const auto type = takeType();
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
        std::string_view rest = here();
        ASSIGN_OR_RETURN(const Scalar value, reader(rest));
        at_ = text_.size() - rest.size();
        return valueOf(session_, value);
    }

    std::string_view text_;
    const Session& session_;
    std::size_t at_ = 0;
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
