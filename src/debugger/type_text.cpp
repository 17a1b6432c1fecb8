#include "debugger/type_text.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/text.h"
#include "debugger/symbol_text.h"
#include "symbols/module_reader.h"

namespace icecore::debugger {

namespace {

/// Arrays of arrays, pointers to pointers: deeper is damage.
constexpr int deepest = 16;
constexpr std::uint64_t longestValue = 4096;
/// Characters of text shown behind a pointer or of an array.
constexpr std::size_t longestText = 256;

bool isRecord(TypeKind kind) {
    return kind == TypeKind::structure || kind == TypeKind::class_type ||
           kind == TypeKind::union_type;
}
bool isText(const TypeShape& shape) {
    return (shape.kind == TypeKind::character || shape.kind == TypeKind::unsigned_character) &&
           shape.size <= 4;
}

std::string recordWord(TypeKind kind) {
    switch (kind) {
    case TypeKind::structure: return "struct ";
    case TypeKind::class_type: return "class ";
    case TypeKind::union_type: return "union ";
    case TypeKind::enumeration: return "enum ";
    default: return {};
    }
}

std::string layoutText(const TypeSource& types, TypeId type, int depth) {
    const TypeShape shape = types.shape(type);
    if (depth > deepest) return "...";
    switch (shape.kind) {
    case TypeKind::unknown: return {};  // a table of functions
    case TypeKind::nothing: return "Void";
    case TypeKind::signed_integer: return fmt::format("Int{}B", shape.size);
    case TypeKind::unsigned_integer: return fmt::format("Uint{}B", shape.size);
    case TypeKind::character: return shape.size == 1 ? "Char" : "Wchar";
    case TypeKind::unsigned_character: return "UChar";
    case TypeKind::boolean: return "Bool";
    case TypeKind::floating: return "Float";
    case TypeKind::pointer: {
        std::string target = shape.target ? layoutText(types, *shape.target, depth + 1) : "";
        return fmt::format("Ptr{} {}", shape.size * 8, target);
    }
    case TypeKind::array:
        return fmt::format("[{}] {}", shape.count,
                           shape.target ? layoutText(types, *shape.target, depth + 1) : "");
    case TypeKind::function:
        return "    " + (shape.target ? declaredTypeText(types, *shape.target) : "") + " ";
    default: return printable(shape.name);
    }
}

std::string declaredText(const TypeSource& types, TypeId type, int depth) {
    const TypeShape shape = types.shape(type);
    if (depth > deepest) return "...";
    switch (shape.kind) {
    case TypeKind::signed_integer:
        if (shape.size == 8) return "int64";
        break;
    case TypeKind::unsigned_integer:
        if (shape.size == 8) return "unsigned int64";
        break;
    case TypeKind::pointer:
        return (shape.target ? declaredText(types, *shape.target, depth + 1) : "void") + " *";
    case TypeKind::array:
        return fmt::format("{} [{}]",
                           shape.target ? declaredText(types, *shape.target, depth + 1) : "",
                           shape.count);
    case TypeKind::function: return "<function> *";
    default: break;
    }
    return recordWord(shape.kind) + printable(shape.name);
}

std::int64_t signedOf(std::uint64_t value, std::uint64_t size) {
    const unsigned shift = size >= 8 ? 0 : static_cast<unsigned>(64 - 8 * size);
    return static_cast<std::int64_t>(value << shift) >> shift;
}

std::string unsignedText(std::uint64_t value) {
    if (value < 10) return std::to_string(value);
    return value > UINT32_MAX ? "0x" + hexTicked(value) : fmt::format("0x{:x}", value);
}

std::string signedText(std::int64_t value) {
    return fmt::format("0n{}", value);
}

/// " 'x'"; of what cannot be shown " ''".
std::string letterText(std::uint64_t value) {
    const bool shown = value >= 0x20 && value < 0x7f;
    return shown ? fmt::format(" '{}'", static_cast<char>(value)) : std::string(" ''");
}

std::string floatText(std::span<const std::byte> bytes, std::size_t size) {
    const std::uint64_t raw = integerOf(bytes.first(std::min<std::size_t>(size, 8))).value_or(0);
    if (size == 4)
        return fmt::format("{:.9g}", std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
    if (size == 8) return fmt::format("{:.17g}", std::bit_cast<double>(raw));
    if (size == 10) {
        // x87: 64 bits with the leading one, 15 bits of exponent, the sign.
        const auto head = loadInteger<std::uint16_t>(bytes.data() + 8);
        constexpr int bias = 16383 + 63;
        const double value = std::ldexp(static_cast<double>(raw), (head & 0x7fff) - bias);
        return fmt::format("{:.17g}", (head & 0x8000) != 0 ? -value : value);
    }
    return "?";
}

/// Shortest text that reads back as the same number.
std::string shortFloatText(std::span<const std::byte> bytes, std::size_t size) {
    const std::uint64_t raw = integerOf(bytes.first(std::min<std::size_t>(size, 8))).value_or(0);
    if (size == 4) return fmt::format("{}", std::bit_cast<float>(static_cast<std::uint32_t>(raw)));
    if (size == 8) return fmt::format("{}", std::bit_cast<double>(raw));
    return floatText(bytes, size);
}

/// Text of characters of `unit` bytes, up to a NUL.
std::string textOf(std::span<const std::byte> bytes, std::uint64_t unit) {
    if (unit == 1) {
        std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return printable(text.substr(0, text.find('\0')));
    }
    std::u16string wide;
    for (std::size_t at = 0; at + unit <= bytes.size(); at += unit) {
        const std::uint64_t value = integerOf(bytes.subspan(at, unit)).value_or(0);
        if (value == 0) break;
        if (value >= 0x10000) {
            wide += static_cast<char16_t>(0xd800 + ((value - 0x10000) >> 10U & 0x3ffU));
            wide += static_cast<char16_t>(0xdc00 + (value & 0x3ffU));
        } else {
            wide += static_cast<char16_t>(value);
        }
    }
    return printable(utf16ToUtf8(wide));
}

std::string enumText(const TypeSource& types, TypeId type, std::uint64_t value, std::uint64_t size,
                     ValueStyle style) {
    const std::int64_t wanted = signedOf(value, size);
    for (const TypeMember& member : types.members(type)) {
        if (member.kind != TypeMember::Kind::enumerator || signedOf(member.offset, size) != wanted)
            continue;
        return style == ValueStyle::dt ? fmt::format("{:x} ( {} )", value, printable(member.name))
                                       : fmt::format("{} (0n{})", printable(member.name), wanted);
    }
    return style == ValueStyle::dt ? fmt::format("{:x} (No matching name)", value)
                                   : fmt::format("0n{} (No matching enumerant)", wanted);
}

std::string pointerText(const Session& session, const ModuleTypes& module, const TypeShape& shape,
                        std::uint64_t value, ValueStyle style) {
    const TypeShape target = shape.target ? module.types->shape(*shape.target) : TypeShape{};
    const bool dt = style == ValueStyle::dt;
    if (value == 0 && dt) return "(null) ";
    std::string address =
        "0x" + (shape.size == 4 ? hexDigits(value, 8) : addressText(session, value));
    if (isText(target)) {
        const std::vector<std::byte> text = bytesAt(session, value, longestText * target.size);
        if (text.empty()) return address + (dt ? "  \"--- memory read error ---\"" : " \"\"");
        return fmt::format("{}{}\"{}\"", address, dt ? "  " : " ", textOf(text, target.size));
    }
    if (!dt) return address;
    if (target.kind == TypeKind::function) {
        std::string name = symbolOrAddressText(session, value);
        if (name.find('+') == std::string::npos) name += "+0";
        return fmt::format("{} {} {}", address, layoutTypeText(*module.types, *shape.target), name);
    }
    return address + " " + (shape.target ? layoutTypeText(*module.types, *shape.target) : "");
}

std::string textOfValue(const Session& session, const ModuleTypes& module, TypeId type,
                        std::span<const std::byte> bytes, ValueStyle style, int depth);

std::string arrayText(const Session& session, const ModuleTypes& module, const TypeShape& shape,
                      std::span<const std::byte> bytes, ValueStyle style, int depth) {
    const TypeShape element = shape.target ? module.types->shape(*shape.target) : TypeShape{};
    std::string text = fmt::format("[{}] ", shape.count);
    if (isText(element) && shape.count != 0) {
        if (bytes.empty()) return text + " ??";
        return text + fmt::format(" \"{}\"", textOf(bytes.first(std::min<std::size_t>(
                                                        bytes.size(), longestText * element.size)),
                                                    element.size));
    }
    if (!shape.target || shape.count == 0) return text;
    const std::size_t each = std::min<std::size_t>(element.size, bytes.size());
    return text + textOfValue(session, module, *shape.target, bytes.first(each), style, depth + 1);
}

std::string textOfValue(const Session& session, const ModuleTypes& module, TypeId type,
                        std::span<const std::byte> bytes, ValueStyle style, int depth) {
    const TypeSource& types = *module.types;
    const TypeShape shape = types.shape(type);
    const bool dt = style == ValueStyle::dt;
    if (depth > deepest) return "...";
    if (isRecord(shape.kind) || shape.kind == TypeKind::function ||
        shape.kind == TypeKind::unknown || shape.kind == TypeKind::nothing)
        return dt ? printable(shape.name) : declaredTypeText(types, type);
    if (shape.kind == TypeKind::array) {
        return dt ? arrayText(session, module, shape, bytes, style, depth)
                  : declaredTypeText(types, type);
    }
    if (shape.size == 0 || bytes.size() < shape.size) return dt ? "??" : "<value unavailable>";
    bytes = bytes.first(shape.size);
    if (shape.kind == TypeKind::floating) {
        return shortFloatText(bytes, bytes.size()) + (dt ? " " : "");
    }
    if (shape.size > 8) return "0x" + hexBytes(bytes);
    const std::uint64_t value = *integerOf(bytes);
    switch (shape.kind) {
    case TypeKind::signed_integer: return signedText(signedOf(value, shape.size));
    case TypeKind::unsigned_integer: return unsignedText(value);
    case TypeKind::character:
        if (shape.size > 1) return unsignedText(value) + letterText(value);
        return (dt ? std::to_string(signedOf(value, 1)) : signedText(signedOf(value, 1))) +
               letterText(value);
    case TypeKind::unsigned_character: return unsignedText(value) + letterText(value);
    case TypeKind::boolean:
        if (dt) return std::to_string(value);
        return value == 0 ? "false" : value == 1 ? "true" : fmt::format("true (0x{:x})", value);
    case TypeKind::enumeration: return enumText(types, type, value, shape.size, style);
    case TypeKind::pointer: return pointerText(session, module, shape, value, style);
    default: return unsignedText(value);
    }
}

}  // namespace

ModuleTypes typesOf(const Session& session, const Module& module) {
    const ModuleReader* reader = session.symbolizer().reader(module);
    if (reader == nullptr) return {&module, nullptr, 0};
    return {&module, reader->types(), reader->bias()};
}

std::string layoutTypeText(const TypeSource& types, TypeId type) {
    return layoutText(types, type, 0);
}

std::string declaredTypeText(const TypeSource& types, TypeId type) {
    return declaredText(types, type, 0);
}

std::string valueText(const Session& session, const ModuleTypes& module, TypeId type,
                      std::span<const std::byte> bytes, ValueStyle style) {
    return textOfValue(session, module, type, bytes, style, 0);
}

std::string valueTextAt(const Session& session, const ModuleTypes& module, TypeId type,
                        std::uint64_t address, ValueStyle style) {
    const std::uint64_t size = module.types->shape(type).size;
    return valueText(session, module, type, bytesAt(session, address, size), style);
}

std::string bitsText(const TypeMember& member, std::span<const std::byte> bytes) {
    const auto whole = integerOf(bytes);
    if (!whole || member.bitPosition >= 64 || member.bitLength > 64) return "??";
    const std::uint64_t mask =
        member.bitLength == 64 ? UINT64_MAX : (std::uint64_t{1} << member.bitLength) - 1;
    const std::uint64_t value = *whole >> member.bitPosition & mask;
    std::string text = fmt::format("0y{:0{}b}", value, unsigned{member.bitLength});
    constexpr unsigned readable = 3;  // bits
    if (member.bitLength > readable) text += " (" + unsignedText(value) + ")";
    return text;
}

std::optional<std::uint64_t> integerOf(std::span<const std::byte> bytes) {
    if (bytes.empty() || bytes.size() > 8) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
        value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

std::vector<std::byte> bytesAt(const Session& session, std::uint64_t address, std::uint64_t size) {
    std::vector<std::byte> bytes(std::min(size, longestValue));
    bytes.resize(session.memory().read(address, bytes).bytes);
    return bytes;
}

}  // namespace icecore::debugger
