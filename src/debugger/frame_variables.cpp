#include "debugger/frame_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// Variables whose values are put together from pieces are no larger than this, in bytes.
constexpr std::uint64_t largestInPieces = 4096;

/// XMM registers in the FXSAVE area (Intel SDM 1, 10.5.1), V registers in user_fpsimd_state.
std::optional<std::vector<std::byte>> vectorRegister(const Session& session,
                                                     const FrameVariables& frame,
                                                     std::uint64_t number) {
    if (!frame.innermost) return std::nullopt;
    const auto& exception = session.process().exception;
    const Thread* thread = session.thread();
    const Context* context = nullptr;
    if (session.contextKind() == ContextKind::exception && exception && exception->context)
        context = &*exception->context;
    else if (session.contextKind() == ContextKind::thread && thread != nullptr && thread->context)
        context = &*thread->context;
    if (context == nullptr) return std::nullopt;
    constexpr std::uint64_t size = 16, fxsaveXmm = 160;
    const bool x86 = session.arch() == Arch::x86_64 || session.arch() == Arch::x86;
    const std::uint64_t at = (x86 ? fxsaveXmm : 0) + number * size;
    const auto all = context->floatingPoint.span();
    if (number >= 32 || at + size > all.size()) return std::nullopt;
    const auto bytes = all.subspan(at, size);
    return std::vector(bytes.begin(), bytes.end());
}

std::optional<std::uint64_t> addressOf(const Session& session, const FrameVariables& frame,
                                       const VariablePiece& piece) {
    const auto offset = static_cast<std::uint64_t>(piece.offset);
    const std::uint64_t mask = session.pointerSize() == 4 ? UINT32_MAX : UINT64_MAX;
    switch (piece.place) {
    case VariablePiece::Place::at_register:
        if (const auto base = frame.physical.registers.get(piece.reg))
            return (*base + offset) & mask;
        return std::nullopt;
    case VariablePiece::Place::at_frame:
        if (!frame.callerSp) return std::nullopt;
        return (*frame.callerSp - session.pointerSize() + offset) & mask;
    case VariablePiece::Place::at_address: return frame.module.bias + offset;
    case VariablePiece::Place::computed: return offset & mask;
    default: return std::nullopt;
    }
}

/// What the lower half of an x64 register is called: "ebx", "r8d".
std::string lowerHalf(std::string_view name) {
    if (name.starts_with('r') && name.size() > 1) {
        const bool numbered = name[1] >= '0' && name[1] <= '9';
        return numbered ? std::string(name) + "d" : "e" + std::string(name.substr(1));
    }
    return std::string(name);
}

std::string placeText(const Session& session, const VariablePiece& piece) {
    if (piece.place == VariablePiece::Place::value) return "<constant>";
    if (piece.place != VariablePiece::Place::in_register &&
        piece.place != VariablePiece::Place::in_vector)
        return "<unavailable>";
    if (piece.place == VariablePiece::Place::in_vector) {
        const bool x86 = session.arch() == Arch::x86_64 || session.arch() == Arch::x86;
        return fmt::format("@{}{}", x86 ? "xmm" : "v", piece.offset);
    }
    const auto registers = archInfo(session.arch()).registers;
    if (piece.reg >= registers.size()) return "@?";
    const std::string_view name = registers[piece.reg].name;
    const bool half = session.arch() == Arch::x86_64 && piece.size == 4;
    return "@" + (half ? lowerHalf(name) : std::string(name));
}

/// Bytes of one piece; empty when they are not known.
std::vector<std::byte> pieceBytes(const Session& session, const FrameVariables& frame,
                                  const VariablePiece& piece, std::uint64_t size) {
    if (const auto address = addressOf(session, frame, piece))
        return bytesAt(session, *address, size);
    std::vector<std::byte> bytes;
    if (piece.place == VariablePiece::Place::in_vector) {
        bytes = vectorRegister(session, frame, static_cast<std::uint64_t>(piece.offset))
                    .value_or(std::vector<std::byte>());
    } else if (piece.place == VariablePiece::Place::value) {
        for (unsigned shift = 0; shift < 64; shift += 8)
            bytes.push_back(
                static_cast<std::byte>(static_cast<std::uint64_t>(piece.offset) >> shift & 0xffU));
    } else if (piece.place == VariablePiece::Place::in_register) {
        const auto value = frame.physical.registers.get(piece.reg);
        if (!value) return bytes;
        for (unsigned shift = piece.registerShift; shift < 64; shift += 8)
            bytes.push_back(static_cast<std::byte>(*value >> shift & 0xffU));
    }
    if (bytes.size() > size) bytes.resize(size);
    return bytes;
}

}  // namespace

namespace {

VariableFrame framed(const Session& session, const Frame& frame, std::uint64_t bias) {
    VariableFrame result;
    result.registers = frame.registers;
    result.bias = bias;
    result.pc = frame.pc - bias;
    result.load = [&session](std::uint64_t address,
                             std::size_t size) -> std::optional<std::uint64_t> {
        std::array<std::byte, 8> bytes{};
        const auto wanted = std::span(bytes).first(std::min(size, bytes.size()));
        if (session.memory().read(address, wanted).bytes < wanted.size()) return std::nullopt;
        return integerOf(wanted);
    };
    return result;
}

}  // namespace

Result<FrameVariables> frameVariables(const Session& session) {
    return frameVariables(session, session.stack(), session.frame());
}

Result<FrameVariables> frameVariables(const Session& session, const NamedStack& stack,
                                      std::size_t index) {
    if (index >= stack.frames.size()) return fail(Errc::not_found, "the thread has no frames");
    const NamedFrame& named = stack.frames[index];
    FrameVariables frame;
    frame.physical = stack.stack.frames[named.physical];
    frame.innermost = named.physical == 0;
    if (named.physical + 1 < stack.stack.frames.size())
        frame.callerSp = stack.stack.frames[named.physical + 1].sp;
    std::size_t level = 0;
    while (level < index && stack.frames[index - level - 1].physical == named.physical)
        ++level;
    const bool back =
        frame.physical.pcIsReturnAddress || (frame.innermost && session.pcIsReturnAddress());
    const std::uint64_t pc = frame.physical.pc - (back && frame.physical.pc != 0 ? 1 : 0);
    const Module* module = session.process().moduleAt(pc);
    if (module == nullptr) {
        return fail(Errc::not_found, fmt::format("{} lies in no module: nothing tells about its "
                                                 "variables",
                                                 addressText(session, pc)));
    }
    frame.module = typesOf(session, *module);
    if (frame.module.types == nullptr) {
        return fail(Errc::not_found,
                    fmt::format("Unable to enumerate locals: the symbols of {} tell nothing about "
                                "variables (.reload /f {} and !sym noisy say which there are)",
                                moduleText(session, module), moduleText(session, module)));
    }
    VariableFrame own = framed(session, frame.physical, frame.module.bias), caller;
    own.callerSp = frame.callerSp;
    if (named.physical + 1 < stack.stack.frames.size()) {
        const Frame& outer = stack.stack.frames[named.physical + 1];
        caller = framed(session, outer, frame.module.bias);
        if (named.physical + 2 < stack.stack.frames.size())
            caller.callerSp = stack.stack.frames[named.physical + 2].sp;
        if (outer.pcIsReturnAddress && session.process().moduleAt(outer.pc - 1) == module)
            own.caller = &caller;
    }
    frame.variables = frame.module.types->variablesAt(pc - frame.module.bias, level, &own);
    return frame;
}

VariableValue locateVariable(const Session& session, const FrameVariables& frame,
                             const Variable& variable) {
    VariableValue value;
    const std::uint64_t size = frame.module.types->shape(variable.type).size;
    if (variable.constant) {
        value.where = "<constant>";
        for (unsigned i = 0; i < std::min<std::uint64_t>(size, 8); ++i)
            value.bytes.push_back(static_cast<std::byte>(*variable.constant >> (8 * i) & 0xffU));
        return value;
    }
    if (variable.pieces.empty()) {
        value.where = "<optimized out>";
        value.optimizedOut = true;
        return value;
    }
    const VariablePiece& first = variable.pieces.front();
    if (first.at == 0 && variable.pieces.size() == 1) {
        value.address = addressOf(session, frame, first);
        value.where =
            value.address ? addressText(session, *value.address) : placeText(session, first);
        value.bytes = pieceBytes(session, frame, first, size);
        return value;
    }
    std::vector<std::optional<std::byte>> whole(std::min(size, largestInPieces));
    for (const VariablePiece& piece : variable.pieces) {
        if (piece.at >= whole.size()) continue;
        const std::uint64_t room = whole.size() - piece.at;
        const auto bytes =
            pieceBytes(session, frame, piece,
                       piece.size != 0 ? std::min<std::uint64_t>(piece.size, room) : room);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (!whole[piece.at + i]) whole[piece.at + i] = bytes[i];
        }
    }
    for (const auto& byte : whole) {
        if (!byte) break;
        value.bytes.push_back(*byte);
    }
    value.where = "<in pieces>";
    return value;
}

std::string variableText(const Session& session, const FrameVariables& frame,
                         const Variable& variable) {
    const VariableValue value = locateVariable(session, frame, variable);
    const TypeShape shape = frame.module.types->shape(variable.type);
    // Of arrays the type is shown, wherever they are.
    if (!value.bytes.empty() || shape.kind == TypeKind::array)
        return valueText(session, frame.module, variable.type, value.bytes, ValueStyle::dv);
    return value.optimizedOut ? "<optimized out>" : "<value unavailable>";
}

}  // namespace icecore::debugger
