#include "symbols/pdb/local_variables.h"

#include <algorithm>
#include <array>

#include "images/pe_layout.h"
#include "symbols/pdb/codeview_registers.h"
#include "symbols/pdb/pdb_layout.h"
#include "symbols/pdb/symbol_record.h"
#include "symbols/pdb/user_type.h"

namespace icecore::pdb {

namespace {

/// Blocks inside one another, and variables of one function, before it is damage.
constexpr std::size_t deepestBlock = 256, mostVariables = 10'000;

bool opensScope(std::uint16_t kind) {
    switch (kind) {
    case symBlock32:
    case symWith32:
    case symInlineSite:
    case symInlineSite2:
    case symThunk32:
    case symSepCode: return true;
    default: return false;
    }
}
bool endsScope(std::uint16_t kind) {
    return kind == symEnd || kind == symProcIdEnd || kind == symInlineSiteEnd;
}
bool isFunction(std::uint16_t kind) {
    return kind == symGProc32 || kind == symLProc32 || kind == symGProc32Id || kind == symLProc32Id;
}

class ScopeReader {
public:
    ScopeReader(const VariableScope& where, const AddressMap& addresses)
        : where_(where), addresses_(addresses) {}

    std::vector<Variable> read();

private:
    struct Level {
        bool counts = false;  ///< the address is in this block and in all around it
        std::vector<Variable> variables;
    };

    void readFrame();
    void one(const SymbolRecord& record, std::vector<Variable>& out);
    void range(const SymbolRecord& record, Variable& variable) const;
    [[nodiscard]] bool covers(Cursor& cursor) const;
    [[nodiscard]] bool inBlock(const SymbolRecord& record) const;
    [[nodiscard]] std::optional<VariablePiece> pieceAt(std::uint16_t reg,
                                                       std::int32_t offset) const;
    [[nodiscard]] std::optional<VariablePiece> pieceIn(std::uint16_t reg) const;
    /// The register that S_DEFRANGE_FRAMEPOINTER_REL counts from.
    [[nodiscard]] std::uint16_t frameRegister(bool parameter) const;

    const VariableScope& where_;
    const AddressMap& addresses_;
    std::uint32_t frameSize_ = 0, frameFlags_ = 0;
    bool open_ = false;  ///< the last variable read takes the ranges that follow
};

/// S_FRAMEPROC stands among the function's own records, before its variables or behind them.
void ScopeReader::readFrame() {
    const auto function = symbolAt(where_.symbols, where_.function);
    if (!function) return;
    std::size_t depth = 0;
    std::uint64_t at = function->next;
    while (const auto record = symbolAt(where_.symbols, at)) {
        at = record->next;
        if (record->kind == symFrameProc && depth == 0) {
            if (const auto frame = fixedPart<FrameProcedure>(*record)) {
                frameSize_ = frame->frameSize;
                frameFlags_ = frame->flags;
            }
            return;
        }
        if (isFunction(record->kind)) return;
        if (opensScope(record->kind)) ++depth;
        if (endsScope(record->kind) && depth-- == 0) return;
    }
}

std::uint16_t ScopeReader::frameRegister(bool parameter) const {
    // cvinfo.h, FRAMEPROCSYM: two bits each, by machine (none, stack pointer or virtual frame,
    // frame pointer, the third choice).
    const std::uint32_t which = (frameFlags_ >> (parameter ? 16U : 14U)) & 3U;
    constexpr std::array<std::uint16_t, 4> x64Bases = {0, 335, 334, 341};  // rsp, rbp, r13
    constexpr std::array<std::uint16_t, 4> x86Bases = {0, virtualFrameRegister, 22,
                                                       20};               // ebp, ebx
    constexpr std::array<std::uint16_t, 4> arm64Bases = {0, 81, 79, 69};  // sp, fp, x19
    switch (where_.machine) {
    case pe::machineX64: return x64Bases[which];
    case pe::machineX86: return x86Bases[which];
    case pe::machineArm64: return arm64Bases[which];
    default: return 0;
    }
}

std::optional<VariablePiece> ScopeReader::pieceAt(std::uint16_t reg, std::int32_t offset) const {
    VariablePiece piece;
    piece.offset = offset;
    if (reg == virtualFrameRegister) {
        piece.place = VariablePiece::Place::at_frame;
        return piece;
    }
    const auto base = codeViewRegister(where_.machine, reg);
    if (!base || base->vector || base->bytes < 4) return std::nullopt;
    piece.place = VariablePiece::Place::at_register;
    piece.reg = base->id;
    return piece;
}

std::optional<VariablePiece> ScopeReader::pieceIn(std::uint16_t reg) const {
    const auto named = codeViewRegister(where_.machine, reg);
    if (!named) return std::nullopt;
    VariablePiece piece;
    piece.place =
        named->vector ? VariablePiece::Place::in_vector : VariablePiece::Place::in_register;
    piece.reg = named->id;
    if (named->vector) piece.offset = named->id;
    piece.registerShift = named->shift;
    piece.size = named->bytes;
    return piece;
}

/// Reads a range of code and its gaps; whether the address is in it.
bool ScopeReader::covers(Cursor& cursor) const {
    const auto span = cursor.structure<CodeSpan>();
    if (!cursor.ok()) return false;
    const auto begin = addresses_.linked(span.section, span.offset);
    if (!begin || where_.address < *begin || where_.address - *begin >= span.size) return false;
    const std::uint32_t inside = where_.address - *begin;
    while (cursor.canHold(1, 4)) {
        const std::uint32_t gap = cursor.u16();
        const std::uint32_t size = cursor.u16();
        if (inside >= gap && inside - gap < size) return false;
    }
    return true;
}

/// A place of the variable before it: S_DEFRANGE_…
void ScopeReader::range(const SymbolRecord& record, Variable& variable) const {
    Cursor cursor(record.content);
    std::optional<VariablePiece> piece;
    constexpr std::uint32_t offsetMask = 0xfff;  // a variable's parts are that near at most
    switch (record.kind) {
    case symRangeRegister: {
        piece = pieceIn(cursor.u16());
        cursor.skip(2);
        break;
    }
    case symRangeSubfield: {
        piece = pieceIn(cursor.u16());
        cursor.skip(2);
        const std::uint32_t at = cursor.u32() & offsetMask;
        if (piece) piece->at = at;
        break;
    }
    case symRangeFrame: piece = pieceAt(frameRegister(variable.parameter), cursor.i32()); break;
    case symRangeFrameAll:
        piece = pieceAt(frameRegister(variable.parameter), cursor.i32());
        if (cursor.ok() && piece) variable.pieces.push_back(*piece);
        return;
    case symRangeRegisterRel: {
        const std::uint16_t reg = cursor.u16();
        const std::uint32_t at = (cursor.u16() >> 4U) & offsetMask;
        piece = pieceAt(reg, cursor.i32());
        if (piece) piece->at = at;
        break;
    }
    default: return;
    }
    if (piece && covers(cursor)) variable.pieces.push_back(*piece);
}

void ScopeReader::one(const SymbolRecord& record, std::vector<Variable>& out) {
    Variable variable;
    std::string_view name;
    std::optional<VariablePiece> piece;
    open_ = false;
    switch (record.kind) {
    case symLocal: {
        const auto fixed = fixedPart<Local>(record, &name);
        if (!fixed) return;
        variable.type = fixed->type;
        variable.parameter = (fixed->flags & localIsParameter) != 0;
        open_ = true;
        break;
    }
    case symRegRel32: {
        const auto fixed = fixedPart<RegisterRelative>(record, &name);
        if (!fixed) return;
        variable.type = fixed->type;
        const auto offset = static_cast<std::int32_t>(std::uint32_t{fixed->offset});
        piece = pieceAt(fixed->reg, offset);
        // Arguments have their homes above the frame and the return address.
        const auto base = codeViewRegister(where_.machine, fixed->reg);
        const bool fromStackPointer =
            base && where_.machine == pe::machineX64 && base->id == x64::rsp;
        variable.parameter =
            fromStackPointer && offset > 0 && static_cast<std::uint32_t>(offset) > frameSize_;
        break;
    }
    case symBpRel32: {
        const auto fixed = fixedPart<BaseRelative>(record, &name);
        if (!fixed) return;
        variable.type = fixed->type;
        const auto offset = static_cast<std::int32_t>(std::uint32_t{fixed->offset});
        constexpr std::uint16_t ebp = 22, rbp = 334;
        piece = pieceAt(where_.machine == pe::machineX64 ? rbp : ebp, offset);
        variable.parameter = offset > 0;
        break;
    }
    case symRegister: {
        const auto fixed = fixedPart<InRegister>(record, &name);
        if (!fixed) return;
        variable.type = fixed->type;
        piece = pieceIn(fixed->reg);
        break;
    }
    case symLData32:
    case symGData32: {
        const auto fixed = fixedPart<Data>(record, &name);
        if (!fixed) return;
        variable.type = fixed->type;
        if (const auto linked = addresses_.linked(fixed->section, fixed->offset)) {
            piece.emplace();
            piece->place = VariablePiece::Place::at_address;
            piece->offset = *linked;
        }
        break;
    }
    case symConstant: {
        Cursor cursor(record.content);
        variable.type = cursor.u32();
        variable.constant = numericLeaf(cursor);
        name = cursor.cString();
        if (!cursor.ok()) return;
        break;
    }
    default: return;
    }
    if (name.empty() || out.size() >= mostVariables) return;
    variable.name = std::string(name);
    if (piece) variable.pieces.push_back(*piece);
    out.push_back(std::move(variable));
}

bool ScopeReader::inBlock(const SymbolRecord& record) const {
    const auto block = fixedPart<Block>(record);
    if (!block) return false;
    const auto begin = addresses_.linked(block->section, block->offset);
    return begin && where_.address >= *begin && where_.address - *begin < block->size;
}

std::vector<Variable> ScopeReader::read() {
    readFrame();
    const auto scope = symbolAt(where_.symbols, where_.scope);
    if (!scope) return {};
    std::vector<Level> open(1);
    open.front().counts = true;
    std::vector<Variable> found;  // of blocks that ended, inner ones first
    const auto close = [&] {
        Level& level = open.back();
        if (level.counts) std::ranges::move(level.variables, std::back_inserter(found));
        open.pop_back();
    };
    std::uint64_t at = scope->next;
    while (const auto record = symbolAt(where_.symbols, at)) {
        at = record->next;
        if (isFunction(record->kind)) break;  // inside another one: the records are damaged
        if (opensScope(record->kind)) {
            if (open.size() >= deepestBlock) break;
            open_ = false;
            open.push_back(
                {record->kind == symBlock32 && open.back().counts && inBlock(*record), {}});
        } else if (endsScope(record->kind)) {
            open_ = false;
            close();
            if (open.empty()) return found;
        } else if (open.back().counts) {
            auto& variables = open.back().variables;
            if (record->kind >= symRangeRegister && record->kind <= symRangeRegisterRel) {
                if (open_ && !variables.empty()) range(*record, variables.back());
            } else {
                one(*record, variables);
            }
        }
    }
    while (!open.empty())
        close();
    return found;
}

}  // namespace

std::vector<Variable> scopeVariables(const VariableScope& where, const AddressMap& addresses) {
    return ScopeReader(where, addresses).read();
}

}  // namespace icecore::pdb
