#include "symbols/dwarf_info.h"

#include <algorithm>
#include <ranges>

#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/debug_data.h"
#include "symbols/dwarf/unit.h"

namespace icecore {

using namespace dwarf;

namespace {

/// Nested inlining deeper than this no compiler makes.
constexpr std::size_t deepestInlining = 512;

/// An inlined call that contains the address.
struct InlinedCall {
    std::uint64_t entry = 0;
    Range range;
    std::uint64_t file = 0;
    std::uint32_t line = 0;
};

std::vector<InlinedCall> inlinedAt(const Unit& unit, std::uint64_t function,
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

}  // namespace

DwarfInfo::DwarfInfo(std::shared_ptr<const ElfImage> image, Opener opener)
    : data_(std::make_unique<DebugData>(std::move(image), std::move(opener))) {}
DwarfInfo::~DwarfInfo() = default;

std::vector<DwarfFrame> DwarfInfo::lookUp(std::uint64_t address) const {
    DebugData& data = *data_;
    std::vector<DwarfFrame> frames;
    const Unit* main = data.unitAt(address);
    if (main == nullptr) return frames;
    const LineTable& lines = main->lines();
    const LineTable::Row* row = lines.find(address);

    const Unit& unit = data.withCode(*main);
    const FunctionRange* function = unit.functionAt(address);

    std::vector<InlinedCall> calls;
    if (function != nullptr) calls = inlinedAt(unit, function->entry, address);
    // From the innermost inlined function outwards; each one's line is that of the call inside it.
    std::string file = row != nullptr ? lines.fileName(row->file) : std::string();
    std::uint32_t line = row != nullptr ? row->line : 0;
    for (const InlinedCall& call : std::views::reverse(calls)) {
        const FunctionName& name = data.nameOf(unit, call.entry);
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
        const FunctionName& name = data.nameOf(unit, function->entry);
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
