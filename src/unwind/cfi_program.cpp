#include "unwind/cfi_program.h"

#include <array>
#include <limits>

#include "base/text.h"
#include "bytes/cursor.h"

namespace icecore {

namespace {

// DW_CFA_*: the two high bits select three instructions with an operand in the low six.
namespace cfa {
enum : std::uint8_t {
    highMask = 0xc0,
    advance_loc = 0x40,
    offset = 0x80,
    restore = 0xc0,
    nop = 0x00,
    set_loc = 0x01,
    advance_loc1 = 0x02,
    advance_loc2 = 0x03,
    advance_loc4 = 0x04,
    offset_extended = 0x05,
    restore_extended = 0x06,
    undefined = 0x07,
    same_value = 0x08,
    register_ = 0x09,
    remember_state = 0x0a,
    restore_state = 0x0b,
    def_cfa = 0x0c,
    def_cfa_register = 0x0d,
    def_cfa_offset = 0x0e,
    def_cfa_expression = 0x0f,
    expression = 0x10,
    offset_extended_sf = 0x11,
    def_cfa_sf = 0x12,
    def_cfa_offset_sf = 0x13,
    val_offset = 0x14,
    val_offset_sf = 0x15,
    val_expression = 0x16,
    mips_advance_loc8 = 0x1d,  // GCC on every 64-bit target: advance by a u64
    aarch64_negate_ra_state_with_pc = 0x2c,
    gnu_window_save = 0x2d,               // arm64: DW_CFA_AARCH64_negate_ra_state (AADWARF64)
    gnu_args_size = 0x2e,                 // bytes of pushed arguments: only for landing pads
    gnu_negative_offset_extended = 0x2f,  // old GCC: offset_extended with the sign turned
};
}

constexpr std::size_t maxRememberedStates = 64;

/// The rules while the program runs: indexed by register, so that instructions are O(1).
struct RuleState {
    CfaRule cfa;
    bool returnAddressSigned = false;
    std::uint64_t present = 0;  ///< bit per register that has a rule
    std::array<RegisterRule, Registers::capacity> rules{};

    void set(const RegisterRule& rule) {
        rules[rule.reg] = rule;
        present |= std::uint64_t{1} << rule.reg;
    }
    void clear(RegisterId reg) { present &= ~(std::uint64_t{1} << reg); }
    [[nodiscard]] bool has(RegisterId reg) const { return (present >> reg & 1U) != 0; }
};

class Machine {
public:
    Machine(const CfiSection& section, const Fde& fde) : section_(section), fde_(fde) {
        location_ = fde.begin;
    }

    /// Runs CIE and FDE; `onRow(begin, end)` is called whenever the location moves on, with the
    /// state in force for that range, and returns false to stop.
    template <class OnRow>
    Result<void> run(OnRow onRow);

    [[nodiscard]] UnwindRow row() const;
    [[nodiscard]] Result<RegisterId> returnRegister() const;

private:
    Result<void> step(Cursor& cursor, bool initial);
    Result<void> stepExtended(Cursor& cursor, std::uint8_t opcode);
    Result<void> setOffset(std::uint64_t dwarfRegister, RuleKind kind, std::uint64_t factor);
    void setKind(std::uint64_t dwarfRegister, RuleKind kind);
    Result<void> setExpression(Cursor& cursor, RuleKind kind);
    Result<void> defCfaRegister(std::uint64_t dwarfRegister);
    void restore(std::uint64_t dwarfRegister);
    void advance(std::uint64_t units);
    struct Block {
        std::int32_t begin = 0;
        std::uint16_t length = 0;
    };
    Result<Block> block(Cursor& cursor);

    [[nodiscard]] std::int64_t factored(std::uint64_t factor) const {
        return static_cast<std::int64_t>(factor *
                                         static_cast<std::uint64_t>(fde_.cie.dataAlignment));
    }
    [[nodiscard]] std::unexpected<Error> bad(const Cursor& cursor, std::string what) const {
        return fail(Errc::malformed, std::move(what), cursor.view().where(cursor.position()));
    }

    const CfiSection& section_;
    const Fde& fde_;
    std::uint64_t location_ = 0;  ///< where the row being built begins
    std::uint64_t next_ = 0;      ///< where it ends, once an instruction moved the location
    bool moved_ = false;
    RuleState state_, initial_;
    std::vector<RuleState> remembered_;
};

void Machine::advance(std::uint64_t units) {
    const std::uint64_t step = units * fde_.cie.codeAlignment;
    // Hostile steps would wrap around: stay at the end, where no address is looked for.
    next_ = step > UINT64_MAX - location_ ? UINT64_MAX : location_ + step;
    moved_ = true;
}

Result<void> Machine::setOffset(std::uint64_t dwarfRegister, RuleKind kind, std::uint64_t factor) {
    const auto reg = registerByDwarf(section_.arch, dwarfRegister);
    if (!reg) return {};  // a vector register: not restored here
    const std::int64_t value = factored(factor);
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max())
        return fail(Errc::malformed, "a register is said to be saved beyond 2 GiB from its frame",
                    section_.bytes.where(fde_.offset));
    state_.set({*reg, kind, 0, static_cast<std::int32_t>(value)});
    return {};
}

void Machine::setKind(std::uint64_t dwarfRegister, RuleKind kind) {
    if (const auto reg = registerByDwarf(section_.arch, dwarfRegister))
        state_.set({*reg, kind, 0, 0});
}

Result<Machine::Block> Machine::block(Cursor& cursor) {
    const std::uint64_t length = cursor.uleb();
    const ByteView bytes = cursor.bytes(length);
    if (!cursor.ok()) return bad(cursor, "a CFI expression leads out of its entry");
    const auto begin = static_cast<std::uint64_t>(bytes.data() - section_.bytes.data());
    if (length > UINT16_MAX || begin > INT32_MAX)
        return bad(cursor, "a CFI expression too long or too far into its section");
    return Block{static_cast<std::int32_t>(begin), static_cast<std::uint16_t>(length)};
}

Result<void> Machine::setExpression(Cursor& cursor, RuleKind kind) {
    const auto reg = registerByDwarf(section_.arch, cursor.uleb());
    ASSIGN_OR_RETURN(const Block where, block(cursor));
    if (reg) state_.set({*reg, kind, where.length, where.begin});
    return {};
}

Result<void> Machine::defCfaRegister(std::uint64_t dwarfRegister) {
    const auto reg = registerByDwarf(section_.arch, dwarfRegister);
    if (!reg)
        return fail(Errc::malformed,
                    "the CFA counts from register " + std::to_string(dwarfRegister) +
                        ", which this architecture does not have",
                    section_.bytes.where(fde_.offset));
    state_.cfa.kind = CfaRule::Kind::register_offset;
    state_.cfa.reg = *reg;
    state_.cfa.length = 0;
    return {};
}

void Machine::restore(std::uint64_t dwarfRegister) {
    const auto reg = registerByDwarf(section_.arch, dwarfRegister);
    if (!reg) return;
    if (initial_.has(*reg)) {
        state_.set(initial_.rules[*reg]);
    } else {
        state_.clear(*reg);
    }
}

Result<void> Machine::step(Cursor& cursor, bool initial) {
    const std::uint8_t opcode = cursor.u8();
    const std::uint8_t low = opcode & static_cast<std::uint8_t>(~cfa::highMask);
    switch (opcode & cfa::highMask) {
    case cfa::advance_loc: advance(low); return {};
    case cfa::offset: return setOffset(low, RuleKind::offset, cursor.uleb());
    case cfa::restore:
        if (initial) return bad(cursor, "a CIE restores what it has to define");
        restore(low);
        return {};
    default: return stepExtended(cursor, opcode);
    }
}

Result<void> Machine::stepExtended(Cursor& cursor, std::uint8_t opcode) {
    const auto sleb = [&] { return static_cast<std::uint64_t>(cursor.sleb()); };
    switch (opcode) {
    case cfa::nop: return {};
    case cfa::set_loc: {
        PointerBases bases = section_.bases;
        bases.addressSize = fde_.cie.addressSize;
        // The cursor's view is the entry's instructions: pcrel counts from there.
        bases.section += static_cast<std::uint64_t>(cursor.view().data() - section_.bytes.data());
        const bool eh = section_.kind == CfiSection::Kind::eh_frame;
        const auto to = readEncodedPointer(
            cursor, eh ? fde_.cie.pointerEncoding : std::uint8_t{dw_eh_pe::absptr}, bases);
        if (!to) return bad(cursor, "DW_CFA_set_loc with an unknown pointer encoding");
        next_ = *to;
        moved_ = true;
        return {};
    }
    case cfa::advance_loc1: advance(cursor.u8()); return {};
    case cfa::advance_loc2: advance(cursor.u16()); return {};
    case cfa::advance_loc4: advance(cursor.u32()); return {};
    case cfa::mips_advance_loc8: advance(cursor.u64()); return {};
    case cfa::offset_extended: {
        const std::uint64_t reg = cursor.uleb();
        return setOffset(reg, RuleKind::offset, cursor.uleb());
    }
    case cfa::offset_extended_sf: {
        const std::uint64_t reg = cursor.uleb();
        return setOffset(reg, RuleKind::offset, sleb());
    }
    case cfa::gnu_negative_offset_extended: {
        const std::uint64_t reg = cursor.uleb();
        return setOffset(reg, RuleKind::offset, 0 - cursor.uleb());
    }
    case cfa::val_offset: {
        const std::uint64_t reg = cursor.uleb();
        return setOffset(reg, RuleKind::val_offset, cursor.uleb());
    }
    case cfa::val_offset_sf: {
        const std::uint64_t reg = cursor.uleb();
        return setOffset(reg, RuleKind::val_offset, sleb());
    }
    case cfa::restore_extended: restore(cursor.uleb()); return {};
    case cfa::undefined: setKind(cursor.uleb(), RuleKind::undefined); return {};
    case cfa::same_value: setKind(cursor.uleb(), RuleKind::same_value); return {};
    case cfa::register_: {
        const auto reg = registerByDwarf(section_.arch, cursor.uleb());
        const auto source = registerByDwarf(section_.arch, cursor.uleb());
        if (reg && source)
            state_.set({*reg, RuleKind::in_register, 0, *source});
        else if (reg)
            state_.set({*reg, RuleKind::undefined, 0, 0});
        return {};
    }
    case cfa::expression: return setExpression(cursor, RuleKind::expression);
    case cfa::val_expression: return setExpression(cursor, RuleKind::val_expression);
    case cfa::remember_state:
        if (remembered_.size() == maxRememberedStates)
            return bad(cursor, "more remembered states than any compiler writes");
        remembered_.push_back(state_);
        return {};
    case cfa::restore_state:
        if (remembered_.empty()) return bad(cursor, "a state is restored that nobody remembered");
        state_ = remembered_.back();
        remembered_.pop_back();
        return {};
    case cfa::def_cfa:
        TRY(defCfaRegister(cursor.uleb()));
        state_.cfa.value = static_cast<std::int64_t>(cursor.uleb());
        return {};
    case cfa::def_cfa_sf:
        TRY(defCfaRegister(cursor.uleb()));
        state_.cfa.value = factored(sleb());
        return {};
    case cfa::def_cfa_register:
        // After an expression there is no offset to keep; zero is what every reader takes.
        if (state_.cfa.kind != CfaRule::Kind::register_offset) state_.cfa.value = 0;
        return defCfaRegister(cursor.uleb());
    case cfa::def_cfa_offset:
    case cfa::def_cfa_offset_sf: {
        const bool isSigned = opcode == cfa::def_cfa_offset_sf;
        const std::int64_t value =
            isSigned ? factored(sleb()) : static_cast<std::int64_t>(cursor.uleb());
        if (state_.cfa.kind != CfaRule::Kind::register_offset)
            return bad(cursor, "a CFA offset without a register");
        state_.cfa.value = value;
        return {};
    }
    case cfa::def_cfa_expression: {
        ASSIGN_OR_RETURN(const Block where, block(cursor));
        state_.cfa = {CfaRule::Kind::expression, 0, where.length, where.begin};
        return {};
    }
    case cfa::gnu_args_size: cursor.uleb(); return {};
    case cfa::gnu_window_save:
        if (section_.arch != Arch::arm64) return bad(cursor, "SPARC's window save");
        state_.returnAddressSigned = !state_.returnAddressSigned;
        return {};
    case cfa::aarch64_negate_ra_state_with_pc:
        if (section_.arch != Arch::arm64) break;
        state_.returnAddressSigned = !state_.returnAddressSigned;
        return {};
    default: break;
    }
    return bad(cursor, "CFI instruction " + hex(opcode) + " is not known");
}

template <class OnRow>
Result<void> Machine::run(OnRow onRow) {
    Cursor initial(fde_.cie.instructions);
    while (!initial.atEnd()) {
        TRY(step(initial, true));
        TRY(initial.status("a CIE's instructions"));
        if (moved_) return bad(initial, "a CIE moves the location");
    }
    initial_ = state_;
    Cursor cursor(fde_.instructions);
    while (!cursor.atEnd()) {
        TRY(step(cursor, false));
        TRY(cursor.status("an FDE's instructions"));
        if (!moved_) continue;
        moved_ = false;
        if (next_ > location_ && !onRow(location_, next_)) return {};
        location_ = next_;
    }
    if (location_ < fde_.end) onRow(location_, fde_.end);
    return {};
}

Result<RegisterId> Machine::returnRegister() const {
    const auto reg = registerByDwarf(section_.arch, fde_.cie.returnRegister);
    if (!reg)
        return fail(Errc::malformed,
                    "the return address is in column " + std::to_string(fde_.cie.returnRegister) +
                        ", which this architecture does not have",
                    section_.bytes.where(fde_.cie.offset));
    return *reg;
}

UnwindRow Machine::row() const {
    UnwindRow row;
    row.section = &section_;
    row.functionBegin = fde_.begin;
    row.cfa = state_.cfa;
    row.signalFrame = fde_.cie.signalFrame;
    row.returnAddressSigned = state_.returnAddressSigned;
    for (RegisterId reg = 0; reg < Registers::capacity; ++reg) {
        if (state_.has(reg)) row.rules.push_back(state_.rules[reg]);
    }
    return row;
}

}  // namespace

Result<UnwindRow> rowAt(const CfiSection& section, const Fde& fde, std::uint64_t address) {
    Machine machine(section, fde);
    std::optional<UnwindRow> found;
    ASSIGN_OR_RETURN(const RegisterId returnRegister, machine.returnRegister());
    const auto outcome = machine.run([&](std::uint64_t begin, std::uint64_t end) {
        if (address < begin || address >= end) return true;
        found = machine.row();
        return false;
    });
    if (!found && !outcome) return std::unexpected(outcome.error());
    if (!found)
        return fail(Errc::not_found, "no row for " + hex(address), section.bytes.where(fde.offset));
    found->returnRegister = returnRegister;
    found->lastOfFunction = address == fde.end - 1;
    return *std::move(found);
}

Result<void> forEachRow(const CfiSection& section, const Fde& fde,
                        const std::function<bool(Range, const UnwindRow&)>& visit) {
    Machine machine(section, fde);
    ASSIGN_OR_RETURN(const RegisterId returnRegister, machine.returnRegister());
    return machine.run([&](std::uint64_t begin, std::uint64_t end) {
        UnwindRow row = machine.row();
        row.returnRegister = returnRegister;
        return visit(Range::between(begin, end), row);
    });
}

}  // namespace icecore
