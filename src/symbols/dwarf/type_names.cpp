// How types are called, and which type has a name.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/text.h"
#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/types.h"

namespace icecore::dwarf {

namespace {

constexpr int deepest = 32;
constexpr std::size_t deepestScopes = 512, longestName = 4096;

/// FNV-1a.
std::uint64_t hashOf(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

bool isNamedType(std::uint16_t tag) {
    switch (tag) {
    case tag_structure_type:
    case tag_class_type:
    case tag_interface_type:
    case tag_union_type:
    case tag_enumeration_type:
    case tag_base_type:
    case tag_typedef: return true;
    default: return false;
    }
}

/// What can hold named types and variables that are no function's own.
bool isScope(std::uint16_t tag) {
    switch (tag) {
    case tag_namespace:
    case tag_module:
    case tag_structure_type:
    case tag_class_type:
    case tag_interface_type:
    case tag_union_type: return true;
    default: return false;
    }
}

/// "struct X" and "typedef struct { … } X" may both be there: what has members is meant.
int rank(std::uint16_t tag) {
    return tag == tag_typedef ? 2 : tag == tag_base_type ? 1 : 0;
}

/// GCC's names of the built-in types.
std::string_view asWritten(std::string_view name) {
    struct Spelling {
        std::string_view usual, recorded;
    };
    static constexpr std::array<Spelling, 11> spellings = {{
        {"unsigned", "unsigned int"},
        {"short", "short int"},
        {"unsigned short", "short unsigned int"},
        {"long", "long int"},
        {"unsigned long", "long unsigned int"},
        {"long long", "long long int"},
        {"unsigned long long", "long long unsigned int"},
        {"short int", "short"},  // and clang's
        {"long int", "long"},
        {"long unsigned int", "unsigned long"},
        {"signed", "int"},
    }};
    for (const Spelling& spelling : spellings) {
        if (spelling.usual == name) return spelling.recorded;
    }
    return {};
}

}  // namespace

std::string DwarfTypes::qualifiedName(const Type& type) const {
    std::string name(data_->textOf(*type.unit, type.entry.value(at_name)));
    if (type.entry.tag == tag_base_type) return name;
    const Unit& home = type.unit->skeleton != nullptr && type.unit->language == 0
                           ? *type.unit->skeleton
                           : *type.unit;
    if (name.empty()) name = "<unnamed>";
    if (isPlainC(home.language)) return name;
    const auto number = data_->numberOf({type.unit, type.entry.offset});
    if (!number) return name;
    {
        const std::scoped_lock lock(namesMutex_);
        if (const auto known = scopes_.find(*number); known != scopes_.end())
            return known->second + name;
    }
    std::string scopes =
        scopesOf(*type.unit, type.entry.offset, type.entry.value(at_specification));
    const std::scoped_lock lock(namesMutex_);
    return scopes_.try_emplace(*number, std::move(scopes)).first->second + name;
}

/// In a type unit GCC leaves a type outside of its scopes, with a reference to a declaration
/// inside.
std::string DwarfTypes::scopesOf(const Unit& unit, std::uint64_t entry,
                                 const Value& specification) const {
    const auto declared = data_->resolve(unit, specification);
    return declared ? data_->scopesOf(*declared->first, declared->second)
                    : data_->scopesOf(unit, entry);
}

std::string DwarfTypes::functionNameOf(const Type& type, std::string_view inner, int depth) const {
    std::string text = nameOf(typeOf(*type.unit, type.entry.value(at_type)), depth + 1) + " " +
                       std::string(inner) + "(";
    bool first = true;
    type.unit->children(type.entry, [&](const FullEntry& child) {
        if (child.flag(at_artificial)) return true;
        if (child.tag != tag_formal_parameter && child.tag != tag_unspecified_parameters)
            return true;
        if (!first) text += ", ";
        first = false;
        text += child.tag == tag_unspecified_parameters
                    ? "..."
                    : nameOf(typeOf(*type.unit, child.value(at_type)), depth + 1);
        return text.size() < longestName;
    });
    return text + ")";
}

std::string DwarfTypes::nameOf(TypeId id, int depth) const {
    if (depth > deepest) return "…";
    const Type type = typeAt(id, false);
    if (type.nothing) return "void";
    if (type.unit == nullptr) return "<type not in the file>";
    const TypeId target = typeOf(*type.unit, type.entry.value(at_type));
    const auto pointer = [&](const char* mark) {
        const Type function = typeAt(target, false);
        if (function.unit != nullptr && function.entry.tag == tag_subroutine_type)
            return functionNameOf(function, std::string("(") + mark + ")", depth);
        return nameOf(target, depth + 1) + " " + mark;
    };
    const auto qualified = [&](const char* word) {
        const Type inner = typeAt(target, false);
        const bool behind = inner.unit != nullptr && inner.entry.tag == tag_pointer_type;
        const std::string name = nameOf(target, depth + 1);
        return behind ? name + " " + word : std::string(word) + " " + name;
    };
    switch (type.entry.tag) {
    case tag_pointer_type: return pointer("*");
    case tag_reference_type: return pointer("&");
    case tag_rvalue_reference_type: return pointer("&&");
    case tag_const_type: return qualified("const");
    case tag_volatile_type: return qualified("volatile");
    case tag_restrict_type:
    case tag_atomic_type: return nameOf(target, depth + 1);
    case tag_subroutine_type: return functionNameOf(type, "", depth);
    case tag_array_type: {
        std::string counts;
        const auto dimensions = dimensionsOf(type);
        for (std::size_t i = type.dimension; i < dimensions.size(); ++i)
            counts += "[" + (dimensions[i] != 0 ? std::to_string(dimensions[i]) : "") + "]";
        return nameOf(target, depth + 1) + counts;
    }
    case tag_ptr_to_member_type: return nameOf(target, depth + 1) + " <member> *";
    default: return qualifiedName(type);
    }
}

bool DwarfTypes::namesIn(const Unit& unit, const NameVisitor& visit) const {
    const Unit& home = unit.skeleton != nullptr && unit.language == 0 ? *unit.skeleton : unit;
    const bool plainC = isPlainC(home.language);
    const AbbreviationTable& table = unit.abbreviations();
    Cursor cursor = unit.cursorAt(unit.firstEntry);
    // How long the name in front was before each open scope.
    std::vector<std::size_t> open;
    std::string scope;
    while (cursor.ok() && !cursor.atEnd()) {
        const std::uint64_t at = cursor.position();
        const std::uint64_t code = cursor.uleb();
        if (code == 0) {
            if (open.size() <= 1) break;
            scope.resize(open.back());
            open.pop_back();
            continue;
        }
        const Abbreviation* abbreviation = table.find(code);
        if (abbreviation == nullptr) break;
        const bool named = isNamedType(abbreviation->tag) || abbreviation->tag == tag_variable;
        const bool scoped = isScope(abbreviation->tag) || open.empty();
        Entry entry;
        if (named || scoped || abbreviation->hasSibling) {
            if (!unit.readAttributes(cursor, *abbreviation, entry)) break;
        } else if (!unit.skipAttributes(cursor, *abbreviation)) {
            break;
        }
        std::string_view name;
        if (named || scoped) name = data_->textOf(unit, entry.name);
        const std::size_t outside = scope.size();
        if (outside == 0 && !plainC && isNamedType(entry.tag) && entry.specification.present())
            scope = scopesOf(unit, at, entry.specification);
        if (named && !name.empty() && !open.empty() &&
            !visit(entry.tag, scope + std::string(name), {&unit, at}, entry.declaration))
            return false;
        if (!abbreviation->children || !scoped) scope.resize(outside);
        if (!abbreviation->children) continue;
        if (!scoped) {
            const auto sibling = unit.localReference(entry.sibling);
            if (sibling && *sibling > cursor.position() && *sibling < unit.end)
                cursor.seek(*sibling);
            else if (!unit.skipChildren(cursor))
                break;
            continue;
        }
        if (open.size() > deepestScopes) break;
        const bool isUnit = open.empty();
        open.push_back(outside);
        if (isUnit || plainC || scope.size() > longestName) continue;
        if (!name.empty())
            scope += std::string(name) + "::";
        else if (abbreviation->tag == tag_namespace)
            scope += "(anonymous namespace)::";
    }
    return true;
}

void DwarfTypes::eachName(const NameVisitor& visit) const {
    data_->eachUnit([&](const Unit& unit) { return namesIn(unit, visit); });
}

std::optional<std::uint64_t> DwarfTypes::indexed(std::string_view name, bool variable) const {
    std::call_once(indexOnce_, [&] {
        eachName([&](std::uint16_t tag, const std::string& full, const EntryPlace& place,
                     bool declaration) {
            // A variable's declaration tells its type as well as its definition.
            const auto number = data_->numberOf(place);
            if (number && (!declaration || tag == tag_variable))
                index_.push_back({hashOf(full), *number, tag});
            return true;
        });
        std::ranges::stable_sort(index_, {}, &Indexed::hash);
    });
    const std::uint64_t hash = hashOf(name);
    std::optional<std::uint64_t> best;
    int bestRank = 0;
    for (auto at = std::ranges::lower_bound(index_, hash, {}, &Indexed::hash);
         at != index_.end() && at->hash == hash; ++at) {
        if ((at->tag == tag_variable) != variable) continue;
        if (best && rank(at->tag) >= bestRank) continue;
        best = at->number;
        bestRank = rank(at->tag);
        if (bestRank == 0) break;
    }
    return best;
}

std::optional<TypeId> DwarfTypes::find(std::string_view name) const {
    if (const auto found = indexed(name, false)) return found;
    const std::string_view other = asWritten(name);
    return other.empty() ? std::nullopt : indexed(other, false);
}

std::optional<TypeId> DwarfTypes::variableType(std::string_view name) const {
    const auto number = indexed(name, true);
    const auto place = number ? data_->placeOf(*number) : std::nullopt;
    const auto entry = place ? place->first->fullEntryAt(place->second) : std::nullopt;
    if (!entry) return std::nullopt;
    return typeOf(*place->first, entry->value(at_type));
}

std::vector<std::string> DwarfTypes::matching(std::string_view pattern, std::size_t limit) const {
    std::vector<std::string> names;
    std::unordered_set<std::string> known;
    if (limit == 0) return names;
    eachName([&](std::uint16_t tag, const std::string& name, const EntryPlace&, bool declaration) {
        if (declaration || tag == tag_variable || tag == tag_base_type) return true;
        if (matchesWildcard(name, pattern) && known.insert(name).second) names.push_back(name);
        return names.size() < limit;
    });
    return names;
}

}  // namespace icecore::dwarf
