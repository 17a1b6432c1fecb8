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
      file_(std::move(image), false),
      units_(file_),
      splits_(std::make_unique<SplitUnit[]>(units_.size())) {}

/// DWARF 5, 6.1.2.
void DebugData::readAranges() {
    const ByteView bytes = file_.section(SectionId::aranges);
    covered_.assign(units_.size(), false);
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
        const std::size_t unit = units_.containing(unitOffset);
        if (unit == units_.size()) continue;
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
    for (std::size_t i = 0; i < units_.size(); ++i) {
        if (covered_[i]) continue;
        Unit& unit = units_[i];
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
    units_[found->unit].readOwnEntry();
    return &units_[found->unit];
}

const Unit& DebugData::withCode(const Unit& unit) const {
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): units last as long as this.
    if (unit.dwoName.empty()) return unit;
    const std::size_t index = units_.containing(unit.offset);
    SplitUnit& split = splits_[index];
    std::call_once(split.once, [&] {
        const std::filesystem::path path = std::filesystem::path(unit.compDir) / unit.dwoName;
        auto image = opener_(path);
        if (!image) return;
        split.file = std::make_unique<File>(std::move(image), true);
        split.units = std::make_unique<Units>(*split.file);
        for (std::size_t i = 0; i < split.units->size(); ++i) {
            Unit& candidate = (*split.units)[i];
            candidate.skeleton = &unit;
            candidate.readOwnEntry();
            // The id is what tells this compilation's .dwo from an older one's.
            if (candidate.dwoId == unit.dwoId) {
                split.unit = &candidate;
                break;
            }
        }
    });
    return split.unit != nullptr ? *split.unit : unit;
}

/// dwz moves what several files share into one: .gnu_debugaltlink names it, with its build-id.
void DebugData::readAlternate() {
    const ElfImage& image = file_.image();
    const ElfSection* section = image.section(".gnu_debugaltlink");
    if (section == nullptr) return;
    const auto content = image.content(*section);
    if (!content) return;
    Cursor cursor(*content);
    const std::filesystem::path name(cursor.cString());
    const ByteView id = cursor.bytes(cursor.remaining());
    if (!cursor.ok()) return;
    const std::filesystem::path folder = std::filesystem::path(image.name()).parent_path();
    for (const auto& path :
         {folder / name, std::filesystem::path("/usr/lib/debug/.dwz") / name.filename()}) {
        auto other = opener_(path);
        if (!other || !std::ranges::equal(other->buildId(), id.span())) continue;
        alternateFile_ = std::make_unique<File>(std::move(other), false);
        alternateUnits_ = std::make_unique<Units>(*alternateFile_);
        return;
    }
}

std::optional<EntryPlace> DebugData::resolve(const Unit& unit, const Value& value) {
    if (const auto local = unit.localReference(value)) return std::pair(&unit, *local);
    const Units* where = nullptr;
    if (value.form == form_ref_addr) {
        const Unit* home = unit.skeleton != nullptr ? unit.skeleton : &unit;
        if (home->file == alternateFile_.get() && alternateFile_) {
            where = alternateUnits_.get();
        } else if (unit.skeleton != nullptr) {
            where = splits_[units_.containing(home->offset)].units.get();
        } else {
            where = &units_;
        }
    } else if (value.form == form_gnu_ref_alt || value.form == form_ref_sup4 ||
               value.form == form_ref_sup8) {
        std::call_once(alternateOnce_, [&] { readAlternate(); });
        where = alternateUnits_.get();
    }
    if (where == nullptr) return std::nullopt;
    const std::size_t index = where->containing(value.number);
    if (index == where->size()) return std::nullopt;
    (*where)[index].readOwnEntry();
    return EntryPlace(&(*where)[index], value.number);
}

// A number is the entry's offset and, above it, where it counts from: the main file, dwz' common
// one, or a split file.
namespace {
constexpr unsigned offsetBits = 40, containerBits = 16;
constexpr std::uint64_t mainFile = 0, commonFile = 1, firstSplit = 2;
}  // namespace

std::optional<std::uint64_t> DebugData::numberOf(const EntryPlace& place) const {
    const auto& [unit, offset] = place;
    std::uint64_t container = mainFile;
    if (unit->skeleton != nullptr)
        container = firstSplit + units_.containing(unit->skeleton->offset);
    else if (unit->file == alternateFile_.get())
        container = commonFile;
    if (offset >> offsetBits != 0 || container >> containerBits != 0) return std::nullopt;
    return container << offsetBits | offset;
}

std::optional<EntryPlace> DebugData::placeOf(std::uint64_t number) const {
    const std::uint64_t container = number >> offsetBits;
    const std::uint64_t offset = number & ((std::uint64_t{1} << offsetBits) - 1);
    const Units* units = &units_;
    if (container == commonFile) units = alternateUnits_.get();
    if (container >= firstSplit) {
        if (container - firstSplit >= units_.size()) return std::nullopt;
        units = splits_[static_cast<std::size_t>(container - firstSplit)].units.get();
    }
    if (units == nullptr) return std::nullopt;
    const std::size_t index = units->containing(offset);
    if (index == units->size()) return std::nullopt;
    (*units)[index].readOwnEntry();
    return EntryPlace(&(*units)[index], offset);
}

std::string_view DebugData::textOf(const Unit& unit, const Value& value) {
    if (value.form != form_gnu_strp_alt && value.form != form_strp_sup) return unit.text(value);
    std::call_once(alternateOnce_, [&] { readAlternate(); });
    if (!alternateFile_) return {};
    Cursor cursor(alternateFile_->section(SectionId::str).slice(value.number));
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
