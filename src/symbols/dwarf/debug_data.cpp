#include "symbols/dwarf/debug_data.h"

#include <algorithm>

#include "symbols/dwarf/constants.h"

namespace icecore::dwarf {

namespace {

/// Specifications and origins are followed at most so far: real chains have two or three links.
constexpr int longestChain = 16;

/// Scopes nested deeper than this no compiler makes.
constexpr std::size_t deepestScopes = 512;

const UnitRange* findRange(const std::vector<UnitRange>& ranges, std::uint64_t address) {
    auto after = std::upper_bound(
        ranges.begin(), ranges.end(), address,
        [](std::uint64_t at, const UnitRange& entry) { return at < entry.range.begin(); });
    // What discarded code has left may lie over the rest: look back a little.
    for (int i = 0; i < 8 && after != ranges.begin(); ++i) {
        --after;
        if (after->range.contains(address)) return &*after;
    }
    return nullptr;
}

void sortRanges(std::vector<UnitRange>& ranges) {
    std::ranges::sort(ranges, {}, [](const UnitRange& entry) { return entry.range.begin(); });
}

std::string scopeName(std::uint16_t tag, std::string_view name) {
    if (!name.empty()) return std::string(name);
    return tag == tag_namespace ? "(anonymous namespace)" : std::string();
}

bool namesScope(std::uint16_t tag) {
    switch (tag) {
    case tag_namespace:
    case tag_module:
    case tag_class_type:
    case tag_structure_type:
    case tag_union_type:
    case tag_interface_type:
    case tag_enumeration_type:
    case tag_subprogram: return true;
    default: return false;
    }
}

}  // namespace

DebugData::DebugData(std::shared_ptr<const ElfImage> image, Opener opener)
    : opener_(std::move(opener)),
      main_(std::move(image), false, mainFile),
      splits_(std::make_unique<SplitUnit[]>(main_.info.size())) {}

/// DWARF 5, 6.1.2.
void DebugData::readAranges() {
    const ByteView bytes = main_.file.section(SectionId::aranges);
    covered_.assign(main_.info.size(), false);
    std::uint64_t at = 0;
    while (at < bytes.size()) {
        Cursor cursor(bytes.slice(at));
        std::uint64_t length = cursor.u32();
        std::size_t offsetSize = 4;
        if (length == 0xffffffff) {
            offsetSize = 8;
            length = cursor.u64();
        }
        if (!cursor.ok() || length > cursor.remaining()) break;
        const std::uint64_t size = cursor.position() + length;
        Cursor set(bytes.slice(at, size));
        set.seek(cursor.position());
        at += size;
        set.skip(2);  // version
        const std::uint64_t unitOffset = set.unsignedOf(offsetSize);
        const std::uint8_t addressSize = set.u8();
        const std::uint8_t segmentSize = set.u8();
        if (!set.ok() || segmentSize != 0 || (addressSize != 4 && addressSize != 8)) continue;
        set.align(2U * addressSize);
        const std::size_t unit = main_.info.containing(unitOffset);
        if (unit == main_.info.size()) continue;
        covered_[unit] = true;
        while (set.canHold(2, addressSize)) {
            const std::uint64_t low = set.unsignedOf(addressSize);
            const std::uint64_t length64 = set.unsignedOf(addressSize);
            if (low == 0 && length64 == 0) break;
            if (low == 0 || length64 == 0) continue;  // discarded code
            aranges_.push_back({Range::ofSize(low, length64), unit});
        }
    }
    sortRanges(aranges_);
}

void DebugData::readOwnRanges() {
    std::vector<Range> pieces;
    for (std::size_t i = 0; i < main_.info.size(); ++i) {
        if (covered_[i]) continue;
        Unit& unit = main_.info[i];
        unit.readOwnEntry();
        pieces.clear();
        Value low;
        if (unit.hasLowPc) low = {form_addr, unit.lowPc, {}};
        unit.codeRanges(low, unit.highPc, unit.ranges, pieces);
        for (const Range& piece : pieces)
            ownRanges_.push_back({piece, i});
    }
    sortRanges(ownRanges_);
}

const Unit* DebugData::unitAt(std::uint64_t address) {
    std::call_once(arangesOnce_, [&] { readAranges(); });
    const UnitRange* found = findRange(aranges_, address);
    if (found == nullptr) {
        // Clang writes no .debug_aranges, and a program may be made by several compilers.
        std::call_once(ownRangesOnce_, [&] { readOwnRanges(); });
        found = findRange(ownRanges_, address);
    }
    if (found == nullptr) return nullptr;
    main_.info[found->unit].readOwnEntry();
    return &main_.info[found->unit];
}

std::string_view DebugData::textOf(const Unit& unit, const Value& value) {
    if (value.form != form_gnu_strp_alt && value.form != form_strp_sup) return unit.text(value);
    std::call_once(alternateOnce_, [&] { readAlternate(); });
    if (!alternate_) return {};
    Cursor cursor(alternate_->file.section(SectionId::str).slice(value.number));
    return cursor.cString();
}

const FunctionName& DebugData::nameOf(const Unit& unit, std::uint64_t entry) {
    {
        const std::scoped_lock lock(namesMutex_);
        auto& known = names_[&unit];
        if (const auto found = known.find(entry); found != known.end()) return found->second;
    }
    FunctionName name = readName(unit, entry);
    const std::scoped_lock lock(namesMutex_);
    return names_[&unit].try_emplace(entry, std::move(name)).first->second;
}

FunctionName DebugData::readName(const Unit& start, std::uint64_t startEntry) {
    FunctionName name;
    const Unit* unit = &start;
    std::uint64_t at = startEntry;
    std::string_view plain;
    const Unit* plainUnit = nullptr;
    std::uint64_t plainEntry = 0;
    for (int i = 0; i < longestChain; ++i) {
        const auto entry = unit->entryAt(at);
        if (!entry) break;
        if (const std::string_view linkage = textOf(*unit, entry->linkageName); !linkage.empty()) {
            name.linkage = linkage;
            return name;
        }
        // The declaration at the chain's end stands in the scopes that count.
        if (const std::string_view text = textOf(*unit, entry->name); !text.empty()) plain = text;
        plainUnit = unit;
        plainEntry = at;
        const Value& onward = entry->origin.present() ? entry->origin : entry->specification;
        if (!onward.present()) break;
        const auto next = resolve(*unit, onward);
        if (!next || (next->first == unit && next->second == at)) break;
        std::tie(unit, at) = *next;
    }
    if (plain.empty()) return name;
    name.qualified = plain;
    const Unit& home = start.skeleton != nullptr && start.language == 0 ? *start.skeleton : start;
    if (!isPlainC(home.language))
        name.qualified = scopesOf(*plainUnit, plainEntry) + name.qualified;
    return name;
}

std::string DebugData::scopesOf(const Unit& unit, std::uint64_t target) {
    struct Scope {
        std::uint16_t tag;
        Value name;
    };
    std::vector<Scope> scopes;
    const AbbreviationTable& table = unit.abbreviations();
    Cursor cursor = unit.cursorAt(unit.firstEntry);
    while (cursor.ok() && cursor.position() < target) {
        const std::uint64_t code = cursor.uleb();
        if (code == 0) {
            if (scopes.empty()) break;
            scopes.pop_back();
            continue;
        }
        const Abbreviation* abbreviation = table.find(code);
        if (abbreviation == nullptr) break;
        if (!abbreviation->children) {
            if (!unit.skipAttributes(cursor, *abbreviation)) break;
            continue;
        }
        Entry entry;
        if (!unit.readAttributes(cursor, *abbreviation, entry)) break;
        const auto sibling = unit.localReference(entry.sibling);
        if (sibling && *sibling > cursor.position() && *sibling <= target) {
            cursor.seek(*sibling);
            continue;
        }
        if (scopes.size() > deepestScopes) break;
        scopes.push_back({entry.tag, entry.name});
    }
    std::string text;
    for (const Scope& scope : scopes) {
        if (!namesScope(scope.tag)) continue;
        const std::string name = scopeName(scope.tag, textOf(unit, scope.name));
        if (!name.empty()) text += name + "::";
    }
    return text;
}

}  // namespace icecore::dwarf
