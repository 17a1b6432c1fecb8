#include "symbols/dwarf/types.h"

#include <algorithm>

#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/expression.h"

namespace icecore::dwarf {

namespace {

/// Types that stand for others, one inside the next, before it is damage.
constexpr int deepest = 32;
constexpr std::size_t mostMembers = 65'536;

// An array of several dimensions is an array of arrays, of which DWARF has no entries: the number
// of such a type says how many dimensions are taken off. Offsets 0 and 1 are in no entry.
constexpr unsigned dimensionShift = 56;
constexpr TypeId unknownType = 0, voidType = 1;

bool standsForAnother(std::uint16_t tag) {
    switch (tag) {
    case tag_typedef:
    case tag_const_type:
    case tag_volatile_type:
    case tag_restrict_type:
    case tag_atomic_type: return true;
    default: return false;
    }
}

TypeKind baseKind(std::uint64_t encoding, std::string_view name) {
    switch (encoding) {
    case ate_boolean: return TypeKind::boolean;
    case ate_float: return TypeKind::floating;
    case ate_signed: return name == "wchar_t" ? TypeKind::character : TypeKind::signed_integer;
    case ate_signed_char:
    case ate_utf: return TypeKind::character;
    case ate_address:
    case ate_unsigned: return TypeKind::unsigned_integer;
    case ate_unsigned_char: return TypeKind::unsigned_character;
    default: return TypeKind::unknown;
    }
}

TypeKind kindOf(std::uint16_t tag) {
    switch (tag) {
    case tag_structure_type: return TypeKind::structure;
    case tag_class_type:
    case tag_interface_type: return TypeKind::class_type;
    case tag_union_type: return TypeKind::union_type;
    case tag_enumeration_type: return TypeKind::enumeration;
    case tag_pointer_type:
    case tag_reference_type:
    case tag_rvalue_reference_type:
    case tag_unspecified_type: return TypeKind::pointer;  // the last is decltype(nullptr)
    case tag_array_type: return TypeKind::array;
    case tag_subroutine_type: return TypeKind::function;
    default: return TypeKind::unknown;
    }
}

/// DW_AT_data_member_location: a number, or an expression that adds one to the structure's address.
std::optional<std::uint64_t> memberOffset(const Value& location, std::uint8_t addressSize) {
    if (!location.present()) return 0;
    if (location.text.empty()) return location.number;
    const Registers none;
    const ExpressionInput input{none, [](std::uint64_t, std::size_t) { return std::nullopt; }, 0,
                                addressSize};
    const auto offset = evaluateExpression(location.block(), input, 0);
    return offset ? std::optional(*offset) : std::nullopt;
}

}  // namespace

TypeId DwarfTypes::typeOf(const Unit& unit, const Value& reference) const {
    if (!reference.present()) return voidType;
    const auto place = data_->resolve(unit, reference);
    return place ? data_->numberOf(*place).value_or(unknownType) : unknownType;
}

DwarfTypes::Type DwarfTypes::typeAt(TypeId id, bool lookThrough) const {
    Type type;
    for (int depth = 0; depth < deepest; ++depth) {
        type = {};
        type.nothing = id == voidType;
        type.dimension = static_cast<unsigned>(id >> dimensionShift);
        const auto place = data_->placeOf(id & ((std::uint64_t{1} << dimensionShift) - 1));
        auto entry = place ? place->first->fullEntryAt(place->second) : std::nullopt;
        if (type.nothing || !entry) return type;
        // What stands for a type that a unit of its own describes has its signature, and in what
        // clang writes no name.
        if (const Value signature = entry->value(at_signature); signature.present()) {
            const TypeId described = typeOf(*place->first, signature);
            if (described != unknownType) {
                id = described;
                continue;
            }
        }
        type.unit = place->first;
        type.entry = std::move(*entry);
        if (!lookThrough || !standsForAnother(type.entry.tag)) return type;
        id = typeOf(*type.unit, type.entry.value(at_type));
    }
    return {};
}

DwarfTypes::Type DwarfTypes::complete(Type type) const {
    if (type.unit == nullptr || !type.entry.flag(at_declaration)) return type;
    const auto whole = indexed(qualifiedName(type), false);
    if (!whole) return type;
    Type found = typeAt(*whole, true);
    return found.unit != nullptr && found.entry.tag == type.entry.tag ? found : type;
}

std::vector<std::uint64_t> DwarfTypes::dimensionsOf(const Type& type) const {
    std::vector<std::uint64_t> counts;
    type.unit->children(type.entry, [&](const FullEntry& child) {
        if (child.tag != tag_subrange_type && child.tag != tag_enumeration_type) return true;
        std::uint64_t count = 0;
        // Bounds that are known when the program runs only are expressions or references.
        const auto constant = [&](const Value& value) {
            return value.present() && value.text.empty() && value.form != form_ref_addr &&
                   !type.unit->localReference(value);
        };
        if (const Value given = child.value(at_count); constant(given)) {
            count = given.number;
        } else if (const Value bound = child.value(at_upper_bound); constant(bound)) {
            // "char text[0]" has the bound -1.
            count = bound.number + 1;
        }
        counts.push_back(count);
        return counts.size() < deepest;
    });
    if (counts.empty()) counts.push_back(0);
    return counts;
}

std::uint64_t DwarfTypes::sizeOf(const Type& type, int depth) const {
    if (type.unit == nullptr || depth > deepest) return 0;
    if (const Value size = type.entry.value(at_byte_size); size.present() && type.dimension == 0)
        return size.number;
    switch (type.entry.tag) {
    case tag_pointer_type:
    case tag_reference_type:
    case tag_rvalue_reference_type:
    case tag_ptr_to_member_type:
    case tag_unspecified_type: return type.unit->addressSize;
    case tag_array_type: {
        const auto counts = dimensionsOf(type);
        std::uint64_t size = sizeOf(
            complete(typeAt(typeOf(*type.unit, type.entry.value(at_type)), true)), depth + 1);
        for (std::size_t i = type.dimension; i < counts.size(); ++i)
            size = checkedMultiply(size, counts[i]).value_or(0);
        return size;
    }
    case tag_enumeration_type:
        return sizeOf(typeAt(typeOf(*type.unit, type.entry.value(at_type)), true), depth + 1);
    default: return 0;
    }
}

TypeShape DwarfTypes::shape(TypeId id) const {
    TypeShape shape;
    const Type type = complete(typeAt(id, true));
    shape.name = nameOf(id, 0);
    if (type.nothing) shape.kind = TypeKind::nothing;
    if (type.unit == nullptr) return shape;
    shape.size = sizeOf(type, 0);
    const Value target = type.entry.value(at_type);
    if (type.entry.tag == tag_base_type) {
        shape.kind = baseKind(type.entry.value(at_encoding).number,
                              data_->textOf(*type.unit, type.entry.value(at_name)));
        return shape;
    }
    shape.kind = kindOf(type.entry.tag);
    switch (shape.kind) {
    case TypeKind::array: {
        const auto counts = dimensionsOf(type);
        if (type.dimension >= counts.size()) return {};
        shape.count = counts[type.dimension];
        const auto number = data_->numberOf({type.unit, type.entry.offset});
        shape.target = type.dimension + 1 < counts.size() && number
                           ? *number | std::uint64_t{type.dimension + 1} << dimensionShift
                           : typeOf(*type.unit, target);
        break;
    }
    case TypeKind::pointer:
        if (type.entry.tag != tag_unspecified_type) shape.target = typeOf(*type.unit, target);
        break;
    case TypeKind::function: shape.target = typeOf(*type.unit, target); break;
    case TypeKind::enumeration:
        if (target.present()) shape.target = typeOf(*type.unit, target);
        break;
    default: break;
    }
    return shape;
}

TypeMember DwarfTypes::memberOf(const Unit& unit, const FullEntry& entry) const {
    TypeMember member;
    member.name = data_->textOf(unit, entry.value(at_name));
    member.type = typeOf(unit, entry.value(at_type));
    const auto offset = memberOffset(entry.value(at_data_member_location), unit.addressSize);
    member.offset = offset.value_or(0);
    switch (entry.tag) {
    case tag_enumerator:
        member.kind = TypeMember::Kind::enumerator;
        member.offset = entry.value(at_const_value).number;
        return member;
    case tag_inheritance:
        // Where a virtual base is, the table of functions tells.
        member.kind = entry.flag(at_virtuality) || !offset ? TypeMember::Kind::virtual_base
                                                           : TypeMember::Kind::base_class;
        member.name = nameOf(member.type, 0);
        return member;
    case tag_variable: member.kind = TypeMember::Kind::static_data; return member;
    default: break;
    }
    // Static members, before version 5 had variables for them.
    if (entry.flag(at_external) && entry.flag(at_declaration)) {
        member.kind = TypeMember::Kind::static_data;
        return member;
    }
    if (entry.flag(at_artificial) && member.name.starts_with("_vptr")) {
        member.kind = TypeMember::Kind::function_table;
        return member;
    }
    const Value bits = entry.value(at_bit_size);
    if (!bits.present() || bits.number > 64) return member;
    member.bitLength = static_cast<std::uint8_t>(bits.number);
    const Value own = entry.value(at_byte_size);
    const std::uint64_t size = own.present() ? own.number : sizeOf(typeAt(member.type, true), 0);
    if (size == 0 || size > 8) return member;
    if (const Value at = entry.value(at_data_bit_offset); at.present()) {
        member.offset = at.number / (size * 8) * size;
        member.bitPosition = static_cast<std::uint8_t>(at.number % (size * 8));
    } else if (const Value fromTop = entry.value(at_bit_offset);
               fromTop.number + bits.number <= size * 8) {
        // Versions 2 and 3 count from the most significant bit.
        member.bitPosition = static_cast<std::uint8_t>(size * 8 - fromTop.number - bits.number);
    }
    return member;
}

std::vector<TypeMember> DwarfTypes::members(TypeId id) const {
    std::vector<TypeMember> all;
    const Type type = complete(typeAt(id, true));
    if (type.unit == nullptr || kindOf(type.entry.tag) == TypeKind::array) return all;
    type.unit->children(type.entry, [&](const FullEntry& child) {
        if (child.tag == tag_member || child.tag == tag_enumerator ||
            child.tag == tag_inheritance || child.tag == tag_variable)
            all.push_back(memberOf(*type.unit, child));
        return all.size() < mostMembers;
    });
    return all;
}

}  // namespace icecore::dwarf
