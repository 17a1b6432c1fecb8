#include "symbols/dwarf/location.h"

#include <algorithm>

#include "symbols/dwarf/expression.h"

namespace icecore::dwarf {

namespace {

constexpr std::size_t mostPieces = 1024;

enum Operation : std::uint8_t {
    op_addr = 0x03,
    op_const1u = 0x08,
    op_const8s = 0x0f,
    op_constu = 0x10,
    op_consts = 0x11,
    op_pick = 0x15,
    op_plus_uconst = 0x23,
    op_bra = 0x28,
    op_skip = 0x2f,
    op_reg0 = 0x50,
    op_reg31 = 0x6f,
    op_breg0 = 0x70,
    op_breg31 = 0x8f,
    op_regx = 0x90,
    op_fbreg = 0x91,
    op_bregx = 0x92,
    op_piece = 0x93,
    op_deref_size = 0x94,
    op_xderef_size = 0x95,
    op_call2 = 0x98,
    op_call4 = 0x99,
    op_call_ref = 0x9a,
    op_call_frame_cfa = 0x9c,
    op_bit_piece = 0x9d,
    op_implicit_value = 0x9e,
    op_stack_value = 0x9f,
    op_implicit_pointer = 0xa0,
    op_addrx = 0xa1,
    op_constx = 0xa2,
    op_entry_value = 0xa3,
    op_const_type = 0xa4,
    op_regval_type = 0xa5,
    op_deref_type = 0xa6,
    op_xderef_type = 0xa7,
    op_convert = 0xa8,
    op_reinterpret = 0xa9,
    op_gnu_implicit_pointer = 0xf2,
    op_gnu_entry_value = 0xf3,
    op_gnu_const_type = 0xf4,
    op_gnu_regval_type = 0xf5,
    op_gnu_deref_type = 0xf6,
    op_gnu_convert = 0xf7,
    op_gnu_reinterpret = 0xf9,
    op_gnu_parameter_ref = 0xfa,
    op_gnu_addr_index = 0xfb,
    op_gnu_const_index = 0xfc,
    op_gnu_variable_value = 0xfd,
};

bool isPiece(std::uint8_t code) {
    return code == op_piece || code == op_bit_piece;
}

void skipOperands(Cursor& cursor, std::uint8_t code, const Unit& unit) {
    if (code >= op_breg0 && code <= op_breg31) {
        (void)cursor.sleb();
        return;
    }
    if (code >= op_const1u && code <= op_const8s) {
        cursor.skip(std::uint64_t{1} << ((code - op_const1u) / 2));
        return;
    }
    switch (code) {
    case op_addr: cursor.skip(unit.addressSize); break;
    case op_pick:
    case op_deref_size:
    case op_xderef_size: cursor.skip(1); break;
    case op_skip:
    case op_bra:
    case op_call2: cursor.skip(2); break;
    case op_call4:
    case op_gnu_parameter_ref: cursor.skip(4); break;
    case op_call_ref:
    case op_gnu_variable_value: cursor.skip(unit.offsetSize); break;
    case op_constu:
    case op_plus_uconst:
    case op_regx:
    case op_piece:
    case op_addrx:
    case op_constx:
    case op_convert:
    case op_reinterpret:
    case op_gnu_convert:
    case op_gnu_reinterpret:
    case op_gnu_addr_index:
    case op_gnu_const_index: (void)cursor.uleb(); break;
    case op_consts:
    case op_fbreg: (void)cursor.sleb(); break;
    case op_bregx:
        (void)cursor.uleb();
        (void)cursor.sleb();
        break;
    case op_bit_piece:
    case op_regval_type:
    case op_gnu_regval_type:
        (void)cursor.uleb();
        (void)cursor.uleb();
        break;
    case op_implicit_value:
    case op_entry_value:
    case op_gnu_entry_value: cursor.skip(cursor.uleb()); break;
    case op_implicit_pointer:
    case op_gnu_implicit_pointer:
        cursor.skip(unit.offsetSize);
        (void)cursor.sleb();
        break;
    case op_const_type:
    case op_gnu_const_type:
        (void)cursor.uleb();
        cursor.skip(cursor.u8());
        break;
    case op_deref_type:
    case op_gnu_deref_type:
    case op_xderef_type:
        cursor.skip(1);
        (void)cursor.uleb();
        break;
    default: break;
    }
}

/// XMM and V registers by their DWARF numbers (System V ABI of x86-64, figure 3.36; of i386; DWARF
/// for the Arm 64-bit architecture).
std::optional<std::uint64_t> vectorNumber(Arch arch, std::uint64_t number) {
    const auto within = [&](std::uint64_t first, std::uint64_t count) {
        return number >= first && number - first < count ? std::optional(number - first)
                                                         : std::nullopt;
    };
    switch (arch) {
    case Arch::x86_64: return within(17, 16);
    case Arch::x86: return within(21, 8);
    case Arch::arm64: return within(64, 32);
    default: return std::nullopt;
    }
}

class Places {
public:
    explicit Places(const LocationInput& input) : input_(input) {}

    std::vector<VariablePiece> read(ByteView description) {
        Cursor cursor(description);
        std::uint64_t begin = 0, at = 0;
        std::uint8_t last = 0;
        while (cursor.ok() && !cursor.atEnd() && pieces_.size() < mostPieces) {
            const std::uint64_t here = cursor.position();
            const std::uint8_t code = cursor.u8();
            if (!isPiece(code)) {
                skipOperands(cursor, code, input_.unit);
                last = code;
                continue;
            }
            const std::uint64_t size = code == op_piece ? cursor.uleb() : cursor.uleb() / 8;
            // Pieces that begin within a byte are left out.
            const std::uint64_t into = code == op_bit_piece ? cursor.uleb() : 0;
            if (size > UINT32_MAX - at) return {};
            if (into == 0)
                simple(description.slice(begin, here - begin), last, static_cast<std::uint32_t>(at),
                       static_cast<std::uint32_t>(size));
            at += size;
            begin = cursor.position();
            last = 0;
        }
        if (!cursor.ok()) return {};
        if (begin < description.size()) simple(description.slice(begin), last, 0, 0);
        return std::move(pieces_);
    }

    std::optional<std::uint64_t> evaluate(ByteView expression) const {
        const Registers none(input_.arch);
        const VariableFrame* frame = input_.frame;
        ExpressionInput with{frame != nullptr ? frame->registers : none,
                             [&](std::uint64_t address, std::size_t size) {
                                 return frame != nullptr ? frame->load(address, size)
                                                         : std::optional<std::uint64_t>();
                             },
                             frame != nullptr ? frame->bias : 0, input_.unit.addressSize};
        with.frameBase = [this]() { return frameBase(); };
        if (frame != nullptr) with.cfa = frame->callerSp;
        with.indexed = [this](std::uint64_t index) { return input_.unit.indexedAddress(index); };
        with.entryValue = [this](ByteView inner) -> Result<std::uint64_t> {
            const auto reg = registerOf(inner);
            const auto value = reg && input_.entryValue ? input_.entryValue(*reg) : std::nullopt;
            if (!value)
                return fail(Errc::not_found, "a value at the function's entry is not known");
            return *value;
        };
        const auto value = evaluateExpression(expression, with, std::nullopt);
        return value ? std::optional(*value) : std::nullopt;
    }

private:
    Result<std::uint64_t> frameBase() const {
        if (!input_.frameBase || input_.frame == nullptr || inFrameBase_)
            return fail(Errc::not_found, "the frame base is not known");
        std::optional<std::uint64_t> value;
        if (const auto number = registerOf(*input_.frameBase)) {
            const auto reg = registerByDwarf(input_.arch, *number);
            value = reg ? input_.frame->registers.get(*reg) : std::nullopt;
        } else {
            inFrameBase_ = true;
            value = evaluate(*input_.frameBase);
            inFrameBase_ = false;
        }
        if (!value) return fail(Errc::not_found, "the frame base is not known");
        return *value;
    }

    /// A description that is not put together from pieces; `last` is its last operation.
    void simple(ByteView text, std::uint8_t last, std::uint32_t at, std::uint32_t size) {
        VariablePiece piece;
        piece.at = at;
        piece.size = size;
        if (text.empty()) return;  // the compiler kept it nowhere
        if (const auto number = registerOf(text)) {
            if (inRegister(*number, piece)) pieces_.push_back(piece);
            return;
        }
        Cursor cursor(text);
        const std::uint8_t first = cursor.u8();
        if (first == op_implicit_value) {
            implicit(cursor.bytes(cursor.uleb()), piece);
            return;
        }
        if (last == op_stack_value) {
            const auto value = evaluate(text.slice(0, text.size() - 1));
            if (!value) return;
            piece.place = VariablePiece::Place::value;
            piece.offset = static_cast<std::int64_t>(*value);
            pieces_.push_back(piece);
            return;
        }
        if (inMemory(text, piece)) pieces_.push_back(piece);
    }

    bool inRegister(std::uint64_t number, VariablePiece& piece) const {
        if (const auto vector = vectorNumber(input_.arch, number)) {
            piece.place = VariablePiece::Place::in_vector;
            piece.offset = static_cast<std::int64_t>(*vector);
            return true;
        }
        const auto reg = registerByDwarf(input_.arch, number);
        if (!reg) return false;
        piece.place = VariablePiece::Place::in_register;
        piece.reg = *reg;
        return true;
    }

    void implicit(ByteView bytes, VariablePiece piece) {
        piece.place = VariablePiece::Place::value;
        constexpr std::uint32_t each = 8;
        const std::uint32_t first = piece.at;
        for (std::uint32_t done = 0; done < bytes.size() && pieces_.size() < mostPieces;
             done += each) {
            Cursor part(bytes.slice(done));
            piece.size =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(each, part.remaining()));
            piece.at = first + done;
            piece.offset = static_cast<std::int64_t>(part.unsignedOf(piece.size));
            pieces_.push_back(piece);
        }
    }

    /// The usual places as what they are, so that they can be told; others are computed.
    bool inMemory(ByteView text, VariablePiece& piece) const {
        Cursor cursor(text);
        const std::uint8_t code = cursor.u8();
        if (code == op_fbreg && input_.frameBase && !input_.frameBase->empty()) {
            const std::int64_t offset = cursor.sleb();
            if (cursor.ok() && cursor.atEnd() && atFrameBase(offset, piece)) return true;
        } else if (code >= op_breg0 && code <= op_breg31) {
            const auto reg = registerByDwarf(input_.arch, code - std::uint64_t{op_breg0});
            piece.offset = cursor.sleb();
            if (reg && cursor.ok() && cursor.atEnd()) {
                piece.place = VariablePiece::Place::at_register;
                piece.reg = *reg;
                return true;
            }
        } else if (code == op_addr || code == op_addrx || code == op_gnu_addr_index) {
            const auto address = code == op_addr
                                     ? std::optional(cursor.unsignedOf(input_.unit.addressSize))
                                     : input_.unit.indexedAddress(cursor.uleb());
            if (address && cursor.ok() && cursor.atEnd()) {
                piece.place = VariablePiece::Place::at_address;
                piece.offset = static_cast<std::int64_t>(*address);
                return true;
            }
        }
        const auto computed = evaluate(text);
        if (!computed) return false;
        piece.place = VariablePiece::Place::computed;
        piece.offset = static_cast<std::int64_t>(*computed);
        return true;
    }

    bool atFrameBase(std::int64_t offset, VariablePiece& piece) const {
        const ByteView base = *input_.frameBase;
        Cursor cursor(base);
        if (base.size() == 1 && cursor.u8() == op_call_frame_cfa) {
            piece.place = VariablePiece::Place::at_frame;
            piece.offset = offset + input_.unit.addressSize;
            return true;
        }
        const auto number = registerOf(base);
        const auto reg = number ? registerByDwarf(input_.arch, *number) : std::nullopt;
        if (!reg) return false;
        piece.place = VariablePiece::Place::at_register;
        piece.reg = *reg;
        piece.offset = offset;
        return true;
    }

    const LocationInput& input_;
    std::vector<VariablePiece> pieces_;
    mutable bool inFrameBase_ = false;
};

}  // namespace

std::vector<VariablePiece> placesOf(ByteView description, const LocationInput& input) {
    return Places(input).read(description);
}

std::optional<std::uint64_t> valueOf(ByteView expression, const LocationInput& input) {
    if (const auto number = registerOf(expression)) {
        const auto reg = registerByDwarf(input.arch, *number);
        return reg && input.frame != nullptr ? input.frame->registers.get(*reg) : std::nullopt;
    }
    return Places(input).evaluate(expression);
}

std::optional<std::uint64_t> registerOf(ByteView description) {
    Cursor cursor(description);
    const std::uint8_t code = cursor.u8();
    std::optional<std::uint64_t> number;
    if (code >= op_reg0 && code <= op_reg31)
        number = code - std::uint64_t{op_reg0};
    else if (code == op_regx)
        number = cursor.uleb();
    return cursor.ok() && cursor.atEnd() ? number : std::nullopt;
}

}  // namespace icecore::dwarf
