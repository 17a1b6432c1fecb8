#include "debugger/cpp_operands.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/cpp_operators.h"
#include "debugger/frame_variables.h"
#include "debugger/named_type.h"
#include "debugger/symbol_text.h"
#include "debugger/type_listing.h"

namespace icecore::debugger {

namespace {

std::optional<CppValue> localVariable(const Session& session, std::string_view name) {
    const auto frame = frameVariables(session);
    if (!frame) return std::nullopt;
    for (const Variable& variable : frame->variables) {
        if (variable.name != name) continue;
        const VariableValue value = locateVariable(session, *frame, variable);
        CppValue out;
        out.type = CppType{Arithmetic::none, frame->module, variable.type, 0};
        out.address = value.address;
        out.bytes = value.bytes;
        return out;
    }
    return std::nullopt;
}

}  // namespace

Result<CppValue> namedValue(const Session& session, const std::string& name) {
    const bool qualified = name.find('!') != std::string::npos;
    if (!qualified && !session.process().threads.empty()) {
        if (auto local = localVariable(session, name)) return *std::move(local);
    }
    if (const auto global = findNamedType(session, name); global && global->variable) {
        if (!global->address)
            return fail(Errc::not_found, fmt::format("'{}' has no address", printable(name)));
        CppValue out;
        out.type = CppType{Arithmetic::none, global->module, global->type, 0};
        out.address = global->address;
        return out;
    }
    const auto address = session.symbolValue(name);
    if (!address) {
        return fail(Errc::not_found,
                    fmt::format("Couldn't resolve error at '{}'", printable(name)));
    }
    CppValue out;
    out.address = *address;
    out.symbol = symbolOrAddressText(session, *address);
    return out;
}

Result<CppValue> registerNamed(const Session& session, std::string_view name) {
    const auto value = session.registerValue(name);
    if (!value) {
        return fail(Errc::not_found, fmt::format("Bad register error at '@{}'", printable(name)));
    }
    CppValue out = valueOf(session, integerScalar(*value, Arithmetic::uint64));
    const std::string_view block = equalsIgnoreCase(name, "$teb")   ? "_TEB"
                                   : equalsIgnoreCase(name, "$peb") ? "_PEB"
                                                                    : "";
    if (block.empty()) return out;
    out.bytes.resize(session.pointerSize());
    const Module* ntdll = session.ntdll(session.pointerSize());
    const auto type = findNamedType(
        session,
        fmt::format("{}!{}", ntdll != nullptr ? session.moduleNames().name(*ntdll) : "ntdll",
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

Result<CppValue> elementOf(const Session& session, const CppValue& pointer, std::uint64_t index) {
    ASSIGN_OR_RETURN(const Scalar to, scalarOf(session, pointer));
    if (!to.pointee) {
        return fail(Errc::usage, fmt::format("'{}' is no pointer", typeText(pointer.type)));
    }
    const std::uint64_t size = std::max<std::uint64_t>(shapeOf(session, *to.pointee).size, 1);
    CppValue out;
    out.type = *to.pointee;
    out.address = to.integer + index * size;
    if (session.pointerSize() == 4) *out.address &= UINT32_MAX;
    return out;
}

Result<CppValue> memberOf(const CppValue& of, std::string_view name) {
    const bool structure =
        of.type.own == Arithmetic::none && of.type.pointers == 0 && of.type.module.types != nullptr;
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

Result<CppValue> castTo(const Session& session, const CppType& type, const CppValue& operand) {
    const CppShape shape = shapeOf(session, type);
    ASSIGN_OR_RETURN(const Scalar from, scalarOf(session, operand));
    if (shape.kind == TypeKind::pointer) {
        CppValue out = valueOf(session, converted(from, Arithmetic::uint64));
        out.bytes.resize(session.pointerSize());
        out.type = type;
        return out;
    }
    if (shape.arithmetic == Arithmetic::none)
        return fail(Errc::usage, fmt::format("nothing can be made a '{}'", typeText(type)));
    CppValue out = valueOf(session, converted(from, shape.arithmetic));
    out.type = type;
    return out;
}

}  // namespace icecore::debugger
