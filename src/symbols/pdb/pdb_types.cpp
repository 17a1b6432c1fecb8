#include "symbols/pdb/pdb_types.h"

#include <unordered_set>

#include "base/text.h"
#include "symbols/pdb/built_in_types.h"
#include "symbols/pdb/type_layout.h"

namespace icecore::pdb {

namespace {

/// Types that stand for others, one inside the next, before it is damage.
constexpr int deepestAlias = 32;

TypeKind kindOf(std::uint16_t leaf) {
    switch (leaf) {
    case leafClass:
    case leafInterface: return TypeKind::class_type;
    case leafStructure: return TypeKind::structure;
    case leafUnion: return TypeKind::union_type;
    case leafEnum: return TypeKind::enumeration;
    case leafPointer: return TypeKind::pointer;
    case leafArray: return TypeKind::array;
    case leafProcedure:
    case leafMemberFunction: return TypeKind::function;
    default: return TypeKind::unknown;
    }
}

/// Type numbers are 32 bits wide; anything else comes from nowhere.
std::uint32_t indexOf(TypeId type) {
    return type <= UINT32_MAX ? static_cast<std::uint32_t>(type) : 0;
}

TypeShape builtInShape(const PdbFile& file, std::uint32_t index) {
    TypeShape shape;
    shape.name = typeName(file, index);
    shape.size = typeSize(file, index).value_or(0);
    if (builtInPointerSize(index) != 0) {
        shape.kind = TypeKind::pointer;
        shape.target = index & 0xffU;
    } else if (const BuiltIn* type = builtIn(index)) {
        shape.kind = type->kind;
    }
    return shape;
}

}  // namespace

std::optional<TypeId> PdbTypes::find(std::string_view name) const {
    if (const auto index = file_->typeByName(name)) return *index;
    if (const auto index = builtInType(name)) return *index;
    return std::nullopt;
}

std::vector<std::string> PdbTypes::matching(std::string_view pattern, std::size_t limit) const {
    std::vector<std::string> names;
    std::unordered_set<std::string> known;
    const auto add = [&](std::string name) {
        if (matchesWildcard(name, pattern) && known.insert(name).second)
            names.push_back(std::move(name));
        return names.size() < limit;
    };
    file_->types().all([&](const TypeRecord& record) {
        auto type = readUserType(record);
        return !type || type->forward || add(std::move(type->name));
    });
    if (names.size() < limit) {
        file_->typedefs([&](std::string_view name) { return add(std::string(name)); });
    }
    return names;
}

TypeShape PdbTypes::shape(TypeId type) const {
    std::uint32_t index = indexOf(type);
    for (int depth = 0; depth < deepestAlias; ++depth) {
        if (index < firstRecord) return builtInShape(*file_, index);
        const auto record = file_->types().record(index);
        if (!record) break;
        if (record->kind == leafModifier || record->kind == leafBitField) {
            index = targetType(*file_, index).value_or(0);
            continue;
        }
        TypeShape shape;
        shape.kind = kindOf(record->kind);
        shape.name = typeName(*file_, index);
        shape.size = typeSize(*file_, index).value_or(0);
        if (const auto user = readUserType(*record)) {
            if (user->kind == leafEnum) {
                const auto whole = user->forward ? file_->completeType(*user) : index;
                const auto complete = whole ? file_->types().record(*whole) : std::nullopt;
                const auto known = complete ? readUserType(*complete) : std::nullopt;
                if (known) shape.target = known->underlying;
            }
        } else if (shape.kind == TypeKind::function) {
            Cursor cursor(record->content());
            shape.target = cursor.u32();
        } else if (const auto target = targetType(*file_, index)) {
            shape.target = *target;
            const std::uint64_t each =
                shape.kind == TypeKind::array ? typeSize(*file_, *target).value_or(0) : 0;
            if (each != 0) shape.count = shape.size / each;
        }
        return shape;
    }
    TypeShape unknown;
    unknown.name = typeName(*file_, indexOf(type));
    return unknown;
}

std::vector<TypeMember> PdbTypes::members(TypeId type) const {
    std::uint32_t index = indexOf(type);
    for (int depth = 0; depth < deepestAlias; ++depth) {
        const auto record = file_->types().record(index);
        if (!record || record->kind != leafModifier) break;
        index = targetType(*file_, index).value_or(0);
    }
    auto layout = typeLayout(*file_, index);
    return layout ? std::move(layout->members) : std::vector<TypeMember>();
}

std::optional<TypeId> PdbTypes::variableType(std::string_view name) const {
    if (const auto index = file_->dataType(name)) return *index;
    return std::nullopt;
}

std::vector<Variable> PdbTypes::variablesAt(std::uint64_t address, std::size_t level,
                                            const VariableFrame* /*frame*/) const {
    if (address > UINT32_MAX) return {};
    return file_->variablesAt(static_cast<std::uint32_t>(address), level);
}

}  // namespace icecore::pdb
