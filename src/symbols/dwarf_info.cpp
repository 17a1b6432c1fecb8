#include "symbols/dwarf_info.h"

#include <algorithm>
#include <mutex>
#include <ranges>
#include <unordered_map>

#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/unit.h"

namespace icecore {

using namespace dwarf;

namespace {

/// Specifications and origins are followed at most so far: real chains have two or three links.
constexpr int longestChain = 16;

/// Nested inlining deeper than this no compiler makes.
constexpr std::size_t deepestInlining = 512;

struct FunctionName {
    std::string linkage, qualified;
};

/// An inlined call that contains the address.
struct InlinedCall {
    std::uint64_t entry = 0;
    Range range;
    std::uint64_t file = 0;
    std::uint32_t line = 0;
};

/// .debug_aranges or the units' own ranges: which unit an address is in.
struct UnitRange {
    Range range;
    std::size_t unit = 0;
};

/// The units of one .debug_info, in order.
class Units {
public:
    explicit Units(const File& file) {
        const std::uint64_t size = file.section(SectionId::info).size();
        std::uint64_t next = 0;
        for (std::uint64_t at = 0; at < size; at = next) {
            auto unit = Unit::readHeader(file, at, &next);
            if (unit) units_.push_back(std::move(unit));
            if (next <= at) break;
        }
    }
    [[nodiscard]] std::size_t size() const { return units_.size(); }
    [[nodiscard]] Unit& operator[](std::size_t i) const { return *units_[i]; }
    /// Index of the unit that contains an offset of .debug_info, or size().
    [[nodiscard]] std::size_t containing(std::uint64_t offset) const {
        auto after = std::upper_bound(
            units_.begin(), units_.end(), offset,
            [](std::uint64_t at, const std::unique_ptr<Unit>& unit) { return at < unit->offset; });
        if (after == units_.begin() || offset >= (*std::prev(after))->end) return units_.size();
        return static_cast<std::size_t>(std::prev(after) - units_.begin());
    }

private:
    std::vector<std::unique_ptr<Unit>> units_;
};

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

/// A split unit's file and unit, found once per skeleton.
struct SplitUnit {
    std::once_flag once;
    std::unique_ptr<File> file;
    std::unique_ptr<Units> units;
    Unit* unit = nullptr;
};

struct DwarfInfo::State {
    State(std::shared_ptr<const ElfImage> image, Opener open)
        : opener(std::move(open)),
          file(std::move(image), false),
          units(file),
          splits(std::make_unique<SplitUnit[]>(units.size())) {}

    Opener opener;
    File file;
    Units units;
    std::unique_ptr<SplitUnit[]> splits;

    std::once_flag arangesOnce, ownRangesOnce, alternateOnce;
    std::vector<UnitRange> aranges, ownRanges;
    std::vector<bool> covered;  ///< by .debug_aranges
    std::unique_ptr<File> alternateFile;
    std::unique_ptr<Units> alternateUnits;

    std::mutex namesMutex;
    std::unordered_map<const Unit*, std::unordered_map<std::uint64_t, FunctionName>> names;

    void readAranges();
    void readOwnRanges();
    void readAlternate();
    const Unit* unitAt(std::uint64_t address);
    const Unit& withCode(const Unit& unit) const;
    std::optional<std::pair<const Unit*, std::uint64_t>> resolve(const Unit& unit,
                                                                 const Value& value);
    const FunctionName& nameOf(const Unit& unit, std::uint64_t entry);
    FunctionName readName(const Unit& start, std::uint64_t startEntry);
    std::string scopesOf(const Unit& unit, std::uint64_t target);
    std::vector<InlinedCall> inlinedAt(const Unit& unit, std::uint64_t function,
                                       std::uint64_t address);
    std::string_view textOf(const Unit& unit, const Value& value);
};

DwarfInfo::DwarfInfo(std::shared_ptr<const ElfImage> image, Opener opener)
    : state_(std::make_unique<State>(std::move(image), std::move(opener))) {}
DwarfInfo::~DwarfInfo() = default;

/// DWARF 5, 6.1.2.
void DwarfInfo::State::readAranges() {
    const ByteView bytes = file.section(SectionId::aranges);
    covered.assign(units.size(), false);
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
        const std::size_t unit = units.containing(unitOffset);
        if (unit == units.size()) continue;
        covered[unit] = true;
        while (set.canHold(2, addressSize)) {
            const std::uint64_t low = set.unsignedOf(addressSize);
            const std::uint64_t length64 = set.unsignedOf(addressSize);
            if (low == 0 && length64 == 0) break;
            if (low == 0 || length64 == 0) continue;  // discarded code
            aranges.push_back({Range::ofSize(low, length64), unit});
        }
    }
    sortRanges(aranges);
}

void DwarfInfo::State::readOwnRanges() {
    std::vector<Range> pieces;
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (covered[i]) continue;
        Unit& unit = units[i];
        unit.readOwnEntry();
        pieces.clear();
        Value low;
        if (unit.hasLowPc) low = {form_addr, unit.lowPc, {}};
        unit.codeRanges(low, unit.highPc, unit.ranges, pieces);
        for (const Range& piece : pieces)
            ownRanges.push_back({piece, i});
    }
    sortRanges(ownRanges);
}

const Unit* DwarfInfo::State::unitAt(std::uint64_t address) {
    std::call_once(arangesOnce, [&] { readAranges(); });
    const UnitRange* found = findRange(aranges, address);
    if (found == nullptr) {
        // Clang writes no .debug_aranges, and a program may be made by several compilers.
        std::call_once(ownRangesOnce, [&] { readOwnRanges(); });
        found = findRange(ownRanges, address);
    }
    if (found == nullptr) return nullptr;
    units[found->unit].readOwnEntry();
    return &units[found->unit];
}

/// The unit that describes the code: the split one where there is one and its file can be had.
const Unit& DwarfInfo::State::withCode(const Unit& unit) const {
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): units last as long as the state.
    if (unit.dwoName.empty()) return unit;
    const std::size_t index = units.containing(unit.offset);
    SplitUnit& split = splits[index];
    std::call_once(split.once, [&] {
        const std::filesystem::path path = std::filesystem::path(unit.compDir) / unit.dwoName;
        auto image = opener(path);
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
void DwarfInfo::State::readAlternate() {
    const ElfImage& image = file.image();
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
        auto other = opener(path);
        if (!other || !std::ranges::equal(other->buildId(), id.span())) continue;
        alternateFile = std::make_unique<File>(std::move(other), false);
        alternateUnits = std::make_unique<Units>(*alternateFile);
        return;
    }
}

std::optional<std::pair<const Unit*, std::uint64_t>> DwarfInfo::State::resolve(const Unit& unit,
                                                                               const Value& value) {
    if (const auto local = unit.localReference(value)) return std::pair(&unit, *local);
    const Units* where = nullptr;
    if (value.form == form_ref_addr) {
        const Unit* home = unit.skeleton != nullptr ? unit.skeleton : &unit;
        if (home->file == alternateFile.get() && alternateFile) {
            where = alternateUnits.get();
        } else if (unit.skeleton != nullptr) {
            where = splits[units.containing(home->offset)].units.get();
        } else {
            where = &units;
        }
    } else if (value.form == form_gnu_ref_alt || value.form == form_ref_sup4 ||
               value.form == form_ref_sup8) {
        std::call_once(alternateOnce, [&] { readAlternate(); });
        where = alternateUnits.get();
    }
    if (where == nullptr) return std::nullopt;
    const std::size_t index = where->containing(value.number);
    if (index == where->size()) return std::nullopt;
    (*where)[index].readOwnEntry();
    return std::pair<const Unit*, std::uint64_t>(&(*where)[index], value.number);
}

std::string_view DwarfInfo::State::textOf(const Unit& unit, const Value& value) {
    if (value.form != form_gnu_strp_alt && value.form != form_strp_sup) return unit.text(value);
    std::call_once(alternateOnce, [&] { readAlternate(); });
    if (!alternateFile) return {};
    Cursor cursor(alternateFile->section(SectionId::str).slice(value.number));
    return cursor.cString();
}

const FunctionName& DwarfInfo::State::nameOf(const Unit& unit, std::uint64_t entry) {
    {
        const std::scoped_lock lock(namesMutex);
        auto& known = names[&unit];
        if (const auto found = known.find(entry); found != known.end()) return found->second;
    }
    FunctionName name = readName(unit, entry);
    const std::scoped_lock lock(namesMutex);
    return names[&unit].try_emplace(entry, std::move(name)).first->second;
}

FunctionName DwarfInfo::State::readName(const Unit& start, std::uint64_t startEntry) {
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

/// "ns::Class::" for an entry: the names of what it stands in.
std::string DwarfInfo::State::scopesOf(const Unit& unit, std::uint64_t target) {
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
        if (scopes.size() > deepestInlining) break;
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

std::vector<InlinedCall> DwarfInfo::State::inlinedAt(const Unit& unit, std::uint64_t function,
                                                     std::uint64_t address) {
    std::vector<InlinedCall> calls;
    const AbbreviationTable& table = unit.abbreviations();
    Cursor cursor = unit.cursorAt(function);
    const Abbreviation* own = table.find(cursor.uleb());
    if (own == nullptr || !own->children || !unit.skipAttributes(cursor, *own)) return calls;

    // Depth 1 are the function's children. Once an entry contains the address, nothing outside it
    // can: the walk ends with its last child.
    int depth = 1, floor = 1;
    std::vector<Range> pieces;
    while (depth >= floor) {
        const std::uint64_t at = cursor.position();
        const std::uint64_t code = cursor.uleb();
        if (!cursor.ok()) break;
        if (code == 0) {
            --depth;
            continue;
        }
        const Abbreviation* abbreviation = table.find(code);
        if (abbreviation == nullptr) break;
        const bool inlined = abbreviation->tag == tag_inlined_subroutine;
        const bool block =
            abbreviation->tag == tag_lexical_block || abbreviation->tag == tag_try_block;
        if (!abbreviation->children && !inlined) {
            if (!unit.skipAttributes(cursor, *abbreviation)) break;
            continue;
        }
        Entry entry;
        if (!unit.readAttributes(cursor, *abbreviation, entry)) break;
        bool inside = false;
        Range piece;
        if (inlined || block) {
            pieces.clear();
            unit.codeRanges(entry.lowPc, entry.highPc, entry.ranges, pieces);
            for (const Range& range : pieces) {
                if (!range.contains(address)) continue;
                inside = true;
                piece = range;
            }
        }
        if (inside && inlined) {
            const auto line = static_cast<std::uint32_t>(entry.callLine.number);
            calls.push_back({at, piece, entry.callFile.number, line});
            if (calls.size() > deepestInlining) break;
        }
        if (!entry.children) continue;
        // A block without addresses only groups names: what is inside it may be anywhere.
        const bool maybe = block && pieces.empty();
        if (inside || maybe) {
            ++depth;
            if (inside) floor = depth;
            continue;
        }
        const auto sibling = unit.localReference(entry.sibling);
        if (sibling && *sibling > cursor.position() && *sibling < unit.end) {
            cursor.seek(*sibling);
        } else if (!unit.skipChildren(cursor)) {
            break;
        }
    }
    return calls;
}

std::vector<DwarfFrame> DwarfInfo::lookUp(std::uint64_t address) const {
    State& state = *state_;
    std::vector<DwarfFrame> frames;
    const Unit* main = state.unitAt(address);
    if (main == nullptr) return frames;
    const LineTable& lines = main->lines();
    const LineTable::Row* row = lines.find(address);

    const Unit& unit = state.withCode(*main);
    const FunctionRange* function = nullptr;
    for (const bool deep : {false, true}) {
        const auto& functions = unit.functions(deep);
        auto after = std::upper_bound(
            functions.begin(), functions.end(), address,
            [](std::uint64_t at, const FunctionRange& f) { return at < f.range.begin(); });
        for (int i = 0; i < 8 && after != functions.begin() && function == nullptr; ++i) {
            --after;
            if (after->range.contains(address)) function = &*after;
        }
        if (function != nullptr) break;
    }

    std::vector<InlinedCall> calls;
    if (function != nullptr) calls = state.inlinedAt(unit, function->entry, address);
    // From the innermost inlined function outwards; each one's line is that of the call inside it.
    std::string file = row != nullptr ? lines.fileName(row->file) : std::string();
    std::uint32_t line = row != nullptr ? row->line : 0;
    for (const InlinedCall& call : std::views::reverse(calls)) {
        const FunctionName& name = state.nameOf(unit, call.entry);
        DwarfFrame frame;
        frame.linkageName = name.linkage;
        frame.name = name.qualified;
        frame.file = std::move(file);
        frame.line = line;
        frame.inlined = true;
        frame.entry = frame.rangeLow = call.range.begin();
        frames.push_back(std::move(frame));
        file = lines.fileName(call.file);
        line = call.line;
    }
    if (function == nullptr && row == nullptr) return frames;
    DwarfFrame frame;
    frame.file = std::move(file);
    frame.line = line;
    if (function != nullptr) {
        const FunctionName& name = state.nameOf(unit, function->entry);
        frame.linkageName = name.linkage;
        frame.name = name.qualified;
        frame.rangeLow = function->range.begin();
        frame.entry = frame.rangeLow;
        // Of a function in several pieces: where it is entered.
        if (const auto entry = unit.entryAt(function->entry); entry && entry->ranges.present()) {
            std::vector<Range> pieces;
            unit.codeRanges(entry->lowPc, entry->highPc, entry->ranges, pieces);
            if (const auto given = unit.address(entry->entryPc)) {
                frame.entry = *given;
            } else if (!pieces.empty()) {
                frame.entry = pieces.front().begin();
            }
        }
    }
    frames.push_back(std::move(frame));
    return frames;
}

}  // namespace icecore
