// The functions of a unit, by address.
#include <algorithm>

#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/unit.h"

namespace icecore::dwarf {

namespace {

/// What is inside these is walked always; inside types and functions there may be functions as
/// well, but seldom any with code of their own, and they are walked only when need be.
bool isScope(std::uint16_t tag) {
    return tag == tag_namespace || tag == tag_module || tag == tag_compile_unit ||
           tag == tag_partial_unit || tag == tag_skeleton_unit || tag == tag_type_unit;
}

}  // namespace

bool Unit::indexFunctions(bool deep, std::vector<FunctionRange>& out) const {
    const AbbreviationTable& table = abbreviations();
    Cursor cursor = cursorAt(firstEntry);
    bool skipped = false;
    int depth = 0;
    std::vector<Range> pieces;
    while (cursor.ok() && !cursor.atEnd()) {
        const std::uint64_t at = cursor.position();
        const std::uint64_t code = cursor.uleb();
        if (code == 0) {
            if (--depth <= 0) break;
            continue;
        }
        const Abbreviation* abbreviation = table.find(code);
        if (abbreviation == nullptr) break;
        const bool function = abbreviation->tag == tag_subprogram;
        const bool jump = abbreviation->children && abbreviation->hasSibling && !deep &&
                          !isScope(abbreviation->tag);
        if (!function && !jump) {
            if (!skipAttributes(cursor, *abbreviation)) break;
        } else {
            Entry entry;
            if (!readAttributes(cursor, *abbreviation, entry)) break;
            if (function) {
                pieces.clear();
                codeRanges(entry.lowPc, entry.highPc, entry.ranges, pieces);
                for (const Range& range : pieces) {
                    if (!range.empty()) out.push_back({range, at});
                }
            }
            const auto sibling = localReference(entry.sibling);
            if (jump && sibling && *sibling > cursor.position() && *sibling < end) {
                cursor.seek(*sibling);
                skipped = true;
                continue;
            }
        }
        if (abbreviation->children) ++depth;
        if (depth == 0) break;  // a unit without anything inside
    }
    std::ranges::sort(out, {}, [](const FunctionRange& f) { return f.range.begin(); });
    return skipped;
}

const std::vector<FunctionRange>& Unit::functions(bool deep) const {
    std::call_once(functionsOnce_, [&] { somethingSkipped_ = indexFunctions(false, functions_); });
    if (!deep || !somethingSkipped_) return functions_;
    std::call_once(deepOnce_, [&] { indexFunctions(true, deepFunctions_); });
    return deepFunctions_;
}

const FunctionRange* Unit::functionAt(std::uint64_t at) const {
    for (const bool deep : {false, true}) {
        const auto& all = functions(deep);
        auto after = std::upper_bound(
            all.begin(), all.end(), at,
            [](std::uint64_t value, const FunctionRange& f) { return value < f.range.begin(); });
        // Pieces of several functions may begin at one place.
        for (int i = 0; i < 8 && after != all.begin(); ++i) {
            --after;
            if (after->range.contains(at)) return &*after;
        }
    }
    return nullptr;
}

}  // namespace icecore::dwarf
