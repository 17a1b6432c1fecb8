#include "symbols/dwarf/expression.h"

#include <array>
#include <optional>

#include "base/text.h"
#include "bytes/cursor.h"

namespace icecore {

namespace {

namespace op {
enum : std::uint8_t {
    addr = 0x03,
    deref = 0x06,
    const1u = 0x08,
    const1s = 0x09,
    const2u = 0x0a,
    const2s = 0x0b,
    const4u = 0x0c,
    const4s = 0x0d,
    const8u = 0x0e,
    const8s = 0x0f,
    constu = 0x10,
    consts = 0x11,
    dup = 0x12,
    drop = 0x13,
    over = 0x14,
    pick = 0x15,
    swap = 0x16,
    rot = 0x17,
    abs = 0x19,
    and_ = 0x1a,
    div = 0x1b,
    minus = 0x1c,
    mod = 0x1d,
    mul = 0x1e,
    neg = 0x1f,
    not_ = 0x20,
    or_ = 0x21,
    plus = 0x22,
    plus_uconst = 0x23,
    shl = 0x24,
    shr = 0x25,
    shra = 0x26,
    xor_ = 0x27,
    bra = 0x28,
    eq = 0x29,
    ge = 0x2a,
    gt = 0x2b,
    le = 0x2c,
    lt = 0x2d,
    ne = 0x2e,
    skip = 0x2f,
    lit0 = 0x30,
    lit31 = 0x4f,
    breg0 = 0x70,
    breg31 = 0x8f,
    fbreg = 0x91,
    bregx = 0x92,
    deref_size = 0x94,
    nop = 0x96,
    call_frame_cfa = 0x9c,
    addrx = 0xa1,
    constx = 0xa2,
    entry_value = 0xa3,
    gnu_entry_value = 0xf3,  // and those of .debug_addr before version 5
    gnu_addr_index = 0xfb,
    gnu_const_index = 0xfc,
};
}

constexpr std::size_t maxStack = 64;
constexpr int maxSteps = 1000;

class Evaluator {
public:
    Evaluator(ByteView expression, const ExpressionInput& input)
        : cursor_(expression), input_(input) {}

    Result<std::uint64_t> run(std::optional<std::uint64_t> initial) {
        if (initial) TRY(push(*initial));
        for (int steps = 0; !cursor_.atEnd(); ++steps) {
            if (steps == maxSteps)
                return fail(Errc::limit, "a DWARF expression does not end", where());
            TRY(step(cursor_.u8()));
            TRY(cursor_.status("a DWARF expression"));
        }
        return pop();
    }

private:
    Result<void> step(std::uint8_t code);
    Result<void> stackOperation(std::uint8_t code);
    Result<void> unary(std::uint8_t code);
    Result<void> binary(std::uint8_t code);
    Result<void> pushRegister(std::uint64_t dwarfRegister, std::int64_t offset);
    Result<void> pushLoaded(std::size_t size);
    Result<void> jump(bool taken);
    Result<void> ofVariables(std::uint8_t code);

    Result<void> push(std::uint64_t value) {
        if (depth_ == maxStack)
            return fail(Errc::limit, "a DWARF expression needs too deep a stack", where());
        stack_[depth_++] = input_.addressSize == 4 ? value & UINT32_MAX : value;
        return {};
    }
    Result<void> pushSigned(std::int64_t value) { return push(static_cast<std::uint64_t>(value)); }
    Result<std::uint64_t> pop() {
        if (depth_ == 0)
            return fail(Errc::malformed, "a DWARF expression takes from an empty stack", where());
        return stack_[--depth_];
    }
    /// The stack value as the signed number of the address size.
    [[nodiscard]] std::int64_t asSigned(std::uint64_t value) const {
        if (input_.addressSize == 4)
            return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
        return static_cast<std::int64_t>(value);
    }
    [[nodiscard]] std::string where() const { return cursor_.view().where(cursor_.position()); }

    Cursor cursor_;
    const ExpressionInput& input_;
    std::array<std::uint64_t, maxStack> stack_{};
    std::size_t depth_ = 0;
};

Result<void> Evaluator::pushRegister(std::uint64_t dwarfRegister, std::int64_t offset) {
    const auto reg = registerByDwarf(input_.registers.arch(), dwarfRegister);
    const auto value = reg ? input_.registers.get(*reg) : std::nullopt;
    if (!value)
        return fail(Errc::not_found,
                    "a DWARF expression needs register " + std::to_string(dwarfRegister) +
                        ", which is not known",
                    where());
    return push(*value + static_cast<std::uint64_t>(offset));
}

Result<void> Evaluator::pushLoaded(std::size_t size) {
    ASSIGN_OR_RETURN(const std::uint64_t address, pop());
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return fail(Errc::malformed, "a DWARF expression loads " + std::to_string(size) + " bytes",
                    where());
    const auto value = input_.load(address, size);
    if (!value)
        return fail(Errc::unreadable, "a DWARF expression loads from missing memory", hex(address));
    return push(*value);
}

Result<void> Evaluator::jump(bool taken) {
    const std::int64_t distance = cursor_.i16();
    if (!taken || !cursor_.ok()) return {};
    const std::int64_t to = static_cast<std::int64_t>(cursor_.position()) + distance;
    if (to < 0) return fail(Errc::malformed, "a DWARF expression jumps before its start", where());
    cursor_.seek(static_cast<std::uint64_t>(to));
    return {};
}

Result<void> Evaluator::stackOperation(std::uint8_t code) {
    std::size_t below = 0;  // index from the top of what is copied
    switch (code) {
    case op::drop: TRY(pop()); return {};
    case op::dup: break;
    case op::over: below = 1; break;
    case op::pick: below = cursor_.u8(); break;
    default: {  // swap, rot: the top moves one or two down
        const std::size_t count = code == op::swap ? 2 : 3;
        if (depth_ < count)
            return fail(Errc::malformed, "a DWARF expression turns a stack too small", where());
        const std::uint64_t top = stack_[depth_ - 1];
        for (std::size_t i = 1; i < count; ++i)
            stack_[depth_ - i] = stack_[depth_ - i - 1];
        stack_[depth_ - count] = top;
        return {};
    }
    }
    if (below >= depth_)
        return fail(Errc::malformed, "a DWARF expression picks below its stack", where());
    return push(stack_[depth_ - 1 - below]);
}

Result<void> Evaluator::unary(std::uint8_t code) {
    ASSIGN_OR_RETURN(const std::uint64_t value, pop());
    switch (code) {
    case op::abs: return push(asSigned(value) < 0 ? 0 - value : value);
    case op::neg: return push(0 - value);
    case op::not_: return push(~value);
    default: return push(value + cursor_.uleb());  // plus_uconst
    }
}

Result<void> Evaluator::binary(std::uint8_t code) {
    ASSIGN_OR_RETURN(const std::uint64_t right, pop());
    ASSIGN_OR_RETURN(const std::uint64_t left, pop());
    const std::int64_t signedLeft = asSigned(left);
    const std::int64_t signedRight = asSigned(right);
    const unsigned bits = input_.addressSize * 8U;
    switch (code) {
    case op::and_: return push(left & right);
    case op::or_: return push(left | right);
    case op::xor_: return push(left ^ right);
    case op::plus: return push(left + right);
    case op::minus: return push(left - right);
    case op::mul: return push(left * right);
    case op::div:
        if (right == 0) return fail(Errc::malformed, "a DWARF expression divides by zero", where());
        if (signedRight == -1) return push(0 - left);  // INT64_MIN / -1 overflows
        return pushSigned(signedLeft / signedRight);
    case op::mod:
        if (right == 0) return fail(Errc::malformed, "a DWARF expression divides by zero", where());
        return push(left % right);
    case op::shl: return push(right >= bits ? 0 : left << right);
    case op::shr: return push(right >= bits ? 0 : left >> right);
    case op::shra: return pushSigned(signedLeft >> (right >= bits ? bits - 1 : right));
    case op::eq: return push(left == right ? 1 : 0);
    case op::ne: return push(left != right ? 1 : 0);
    case op::ge: return push(signedLeft >= signedRight ? 1 : 0);
    case op::gt: return push(signedLeft > signedRight ? 1 : 0);
    case op::le: return push(signedLeft <= signedRight ? 1 : 0);
    default: return push(signedLeft < signedRight ? 1 : 0);  // lt
    }
}

Result<void> Evaluator::step(std::uint8_t code) {
    if (code >= op::lit0 && code <= op::lit31) return push(code - op::lit0);
    if (code >= op::breg0 && code <= op::breg31)
        return pushRegister(code - op::breg0, cursor_.sleb());
    switch (code) {
    case op::addr: return push(cursor_.unsignedOf(input_.addressSize) + input_.bias);
    case op::const1u: return push(cursor_.u8());
    case op::const1s: return pushSigned(cursor_.i8());
    case op::const2u: return push(cursor_.u16());
    case op::const2s: return pushSigned(cursor_.i16());
    case op::const4u: return push(cursor_.u32());
    case op::const4s: return pushSigned(cursor_.i32());
    case op::const8u: return push(cursor_.u64());
    case op::const8s: return pushSigned(cursor_.i64());
    case op::constu: return push(cursor_.uleb());
    case op::consts: return pushSigned(cursor_.sleb());
    case op::bregx: {
        const std::uint64_t reg = cursor_.uleb();
        return pushRegister(reg, cursor_.sleb());
    }
    case op::dup:
    case op::drop:
    case op::over:
    case op::pick:
    case op::swap:
    case op::rot: return stackOperation(code);
    case op::abs:
    case op::neg:
    case op::not_:
    case op::plus_uconst: return unary(code);
    case op::and_:
    case op::div:
    case op::minus:
    case op::mod:
    case op::mul:
    case op::or_:
    case op::plus:
    case op::shl:
    case op::shr:
    case op::shra:
    case op::xor_:
    case op::eq:
    case op::ge:
    case op::gt:
    case op::le:
    case op::lt:
    case op::ne: return binary(code);
    case op::deref: return pushLoaded(input_.addressSize);
    case op::deref_size: return pushLoaded(cursor_.u8());
    case op::skip: return jump(true);
    case op::bra: {
        ASSIGN_OR_RETURN(const std::uint64_t condition, pop());
        return jump(condition != 0);
    }
    case op::nop: return {};
    default: return ofVariables(code);
    }
}

/// Operations that need more than registers and memory.
Result<void> Evaluator::ofVariables(std::uint8_t code) {
    switch (code) {
    case op::fbreg: {
        const std::int64_t offset = cursor_.sleb();
        if (!input_.frameBase) break;
        ASSIGN_OR_RETURN(const std::uint64_t base, input_.frameBase());
        return push(base + static_cast<std::uint64_t>(offset));
    }
    case op::call_frame_cfa:
        if (!input_.cfa) break;
        return push(*input_.cfa);
    case op::addrx:
    case op::constx:
    case op::gnu_addr_index:
    case op::gnu_const_index: {
        const std::uint64_t index = cursor_.uleb();
        const auto value = input_.indexed ? input_.indexed(index) : std::nullopt;
        if (!value) break;
        const bool isAddress = code == op::addrx || code == op::gnu_addr_index;
        return push(*value + (isAddress ? input_.bias : 0));
    }
    case op::entry_value:
    case op::gnu_entry_value: {
        const ByteView inner = cursor_.bytes(cursor_.uleb());
        if (!cursor_.ok() || !input_.entryValue) break;
        ASSIGN_OR_RETURN(const std::uint64_t value, input_.entryValue(inner));
        return push(value);
    }
    default: break;
    }
    return fail(Errc::malformed, "DWARF operation " + hex(code) + " has no place here", where());
}

}  // namespace

Result<std::uint64_t> evaluateExpression(ByteView expression, const ExpressionInput& input,
                                         std::optional<std::uint64_t> initial) {
    return Evaluator(expression, input).run(initial);
}

}  // namespace icecore
