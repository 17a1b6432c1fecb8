#include "debugger/cpp_value.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "base/text.h"
#include "debugger/symbol_text.h"
#include "debugger/type_listing.h"

namespace icecore::debugger {

namespace {

Arithmetic arithmeticOf(const TypeShape& shape) {
    switch (shape.kind) {
    case TypeKind::signed_integer: return integerOfSize(shape.size, true);
    case TypeKind::enumeration: return integerOfSize(shape.size, true);
    case TypeKind::character: return integerOfSize(shape.size, shape.size == 1);
    case TypeKind::unsigned_integer:
    case TypeKind::unsigned_character: return integerOfSize(shape.size, false);
    case TypeKind::boolean: return Arithmetic::boolean;
    case TypeKind::floating:
        return shape.size == 4   ? Arithmetic::float32
               : shape.size == 8 ? Arithmetic::float64
                                 : Arithmetic::none;
    default: return Arithmetic::none;
    }
}

std::vector<std::byte> bytesOfValue(const Session& session, const CppValue& value,
                                    std::uint64_t size) {
    if (value.address) return bytesAt(session, *value.address, size);
    return value.bytes;
}

std::string integerText(const Scalar& scalar) {
    const std::uint64_t value = scalar.integer;
    const auto letter = [&] {
        const std::uint64_t code = value & 0xffU;
        return code >= 0x20 && code < 0x7f ? fmt::format(" '{}'", static_cast<char>(code))
                                           : std::string(" ''");
    };
    switch (scalar.type) {
    case Arithmetic::boolean: return value == 0 ? "false" : "true";
    case Arithmetic::character:
        return fmt::format("0n{}{}", static_cast<std::int64_t>(value), letter());
    case Arithmetic::unsigned_character: return fmt::format("0x{:x}{}", value, letter());
    case Arithmetic::float32: return fmt::format("{}", static_cast<float>(scalar.real));
    case Arithmetic::float64: return fmt::format("{}", scalar.real);
    default: break;
    }
    if (isSigned(scalar.type)) return fmt::format("0n{}", static_cast<std::int64_t>(value));
    if (value < 10) return std::to_string(value);
    return value > UINT32_MAX ? "0x" + hexTicked(value) : fmt::format("0x{:x}", value);
}

void printPointer(Session& session, Output& out, const CppValue& value, const CppType& target) {
    const auto scalar = scalarOf(session, value);
    if (!scalar) {
        out.print("{} ??\n", typeText(value.type));
        return;
    }
    const std::uint64_t to = scalar->integer;
    out.print("{} 0x{}\n", typeText(value.type), addressText(session, to));
    const CppShape shape = shapeOf(session, target);
    if (target.pointers == 0 && target.module.types != nullptr &&
        hasMembers(target.module.types->shape(target.id)) && to != 0) {
        listMembers(session, out, target.module, target.id, to, {});
        return;
    }
    const bool letters = shape.arithmetic == Arithmetic::character ||
                         shape.arithmetic == Arithmetic::unsigned_character;
    if (!letters || to == 0) return;
    constexpr std::size_t longest = 256;
    const std::vector<std::byte> raw = bytesAt(session, to, longest);
    const std::string text(reinterpret_cast<const char*>(raw.data()), raw.size());
    out.print(" \"{}\"\n", printable(text.substr(0, text.find('\0'))));
}

}  // namespace

CppShape shapeOf(const Session& session, const CppType& type) {
    CppShape out;
    if (type.pointers > 0) {
        out.kind = TypeKind::pointer;
        out.size = session.pointerSize();
        out.target = type;
        --out.target->pointers;
        return out;
    }
    if (type.own != Arithmetic::none) {
        out.arithmetic = type.own;
        out.size = sizeOf(type.own);
        out.kind = TypeKind::signed_integer;
        return out;
    }
    if (type.module.types == nullptr) {
        out.kind = TypeKind::function;
        return out;
    }
    const TypeShape shape = type.module.types->shape(type.id);
    out.kind = shape.kind;
    out.size = shape.size;
    out.arithmetic = arithmeticOf(shape);
    if ((shape.kind == TypeKind::pointer || shape.kind == TypeKind::array) && shape.target)
        out.target = CppType{Arithmetic::none, type.module, *shape.target, 0};
    return out;
}

std::string typeText(const CppType& type) {
    std::string text = type.own != Arithmetic::none ? std::string(toString(type.own))
                       : type.module.types == nullptr
                           ? std::string("<function>")
                           : declaredTypeText(*type.module.types, type.id);
    if (type.pointers > 0)
        text += (text.ends_with('*') ? "" : " ") + std::string(type.pointers, '*');
    return text;
}

Result<Scalar> scalarOf(const Session& session, const CppValue& value) {
    const CppShape shape = shapeOf(session, value.type);
    Scalar out;
    if (shape.kind == TypeKind::array || shape.kind == TypeKind::function) {
        if (!value.address) return fail(Errc::not_found, "the value lies in no memory");
        out.type = Arithmetic::uint64;
        out.integer = *value.address;
        out.pointee = shape.target ? *shape.target : value.type;
        return out;
    }
    const bool pointer = shape.kind == TypeKind::pointer;
    if (!pointer && shape.arithmetic == Arithmetic::none) {
        return fail(Errc::usage, fmt::format("a number is needed, not '{}'", typeText(value.type)));
    }
    const std::vector<std::byte> bytes = bytesOfValue(session, value, shape.size);
    if (shape.size == 0 || shape.size > 8 || bytes.size() < shape.size) {
        return fail(Errc::unreadable,
                    value.address
                        ? fmt::format("Memory access error at '{}': {}", hexTicked(*value.address),
                                      session.memory().explain(*value.address))
                        : std::string("the value is not known here"));
    }
    const std::uint64_t raw = *integerOf(std::span(bytes).first(shape.size));
    if (pointer) {
        out.type = Arithmetic::uint64;
        out.integer = raw;
        out.pointee =
            shape.target ? *shape.target : CppType{Arithmetic::unsigned_character, {}, 0, 0};
        return out;
    }
    out.type = shape.arithmetic;
    if (out.type == Arithmetic::float32) {
        out.real = std::bit_cast<float>(static_cast<std::uint32_t>(raw));
    } else if (out.type == Arithmetic::float64) {
        out.real = std::bit_cast<double>(raw);
    } else if (value.bitLength != 0) {
        out.integer =
            extended(raw >> (value.bitPosition & 63U), value.bitLength, isSigned(out.type));
    } else {
        out.integer = extended(raw, static_cast<unsigned>(8 * shape.size), isSigned(out.type));
    }
    return out;
}

CppValue valueOf(const Session& session, const Scalar& scalar) {
    CppValue out;
    std::uint64_t raw = scalar.integer;
    std::size_t size = sizeOf(scalar.type);
    if (scalar.pointee) {
        out.type = scalar.pointee->pointer();
        size = session.pointerSize();
    } else {
        out.type.own = scalar.type;
        if (scalar.type == Arithmetic::float32)
            raw = std::bit_cast<std::uint32_t>(static_cast<float>(scalar.real));
        if (scalar.type == Arithmetic::float64) raw = std::bit_cast<std::uint64_t>(scalar.real);
    }
    for (std::size_t i = 0; i < size; ++i)
        out.bytes.push_back(static_cast<std::byte>(raw >> (8 * i)));
    return out;
}

void printValue(Session& session, Output& out, const CppValue& value) {
    const CppShape shape = shapeOf(session, value.type);
    const std::string type = typeText(value.type);
    if (shape.kind == TypeKind::function) {
        const std::uint64_t at = value.address.value_or(0);
        out.print(
            "<function> 0x{}\n {}\n", addressText(session, at),
            value.symbol.empty() ? symbolOrAddressText(session, at) : printable(value.symbol));
        return;
    }
    if (shape.kind == TypeKind::pointer) {
        printPointer(session, out, value,
                     shape.target.value_or(CppType{Arithmetic::unsigned_character, {}, 0, 0}));
        return;
    }
    const bool own = value.type.own != Arithmetic::none;
    if (!own && shape.kind == TypeKind::array) {
        out.print("{} 0x{}\n", type, addressText(session, value.address.value_or(0)));
        if (value.address && shape.target &&
            !hasMembers(shape.target->module.types->shape(shape.target->id)))
            out.print("{}\n", valueTextAt(session, shape.target->module, shape.target->id,
                                          *value.address, ValueStyle::dt));
        return;
    }
    const auto scalar = scalarOf(session, value);
    if (!own && shape.kind == TypeKind::enumeration && value.bitLength == 0) {
        out.print("{} {}\n", printable(value.type.module.types->shape(value.type.id).name),
                  valueText(session, value.type.module, value.type.id,
                            bytesOfValue(session, value, shape.size), ValueStyle::dv));
        return;
    }
    if (scalar) {
        out.print("{} {}\n", type, integerText(*scalar));
        return;
    }
    if (!own && hasMembers(value.type.module.types->shape(value.type.id))) {
        out.print("{}\n", type);
        if (value.address)
            listMembers(session, out, value.type.module, value.type.id, value.address, {});
        return;
    }
    out.print("{} ??\n", type);
}

}  // namespace icecore::debugger
