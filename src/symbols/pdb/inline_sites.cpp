// Inlined calls: S_INLINESITE records and the annotations that tell their code and lines.
#include <algorithm>

#include "symbols/compressed_integer.h"
#include "symbols/pdb/object_symbols.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

namespace {

/// Binary annotations (cvinfo.h, BinaryAnnotationOpcode): opcodes and operands in one, two or four
/// bytes each.
enum Annotation : std::uint32_t {
    annotationEnd = 0,
    codeOffset = 1,
    changeCodeOffsetBase = 2,
    changeCodeOffset = 3,
    changeCodeLength = 4,
    changeFile = 5,
    changeLineOffset = 6,
    changeLineEndDelta = 7,
    changeRangeKind = 8,
    changeColumnStart = 9,
    changeColumnEndDelta = 10,
    changeCodeOffsetAndLineOffset = 11,
    changeCodeLengthAndCodeOffset = 12,
    changeColumnEnd = 13,
};

/// The lowest bit is the sign.
std::uint32_t signedDelta(std::uint32_t value) {
    const std::uint32_t magnitude = value >> 1;
    return (value & 1) != 0 ? 0U - magnitude : magnitude;
}

}  // namespace

/// A site while the records of a function are walked.
struct ObjectSymbols::Site {
    std::size_t parent = SIZE_MAX;
    std::uint32_t inlinee = 0;
    std::uint64_t record = 0;
    bool covers = false;
    std::uint32_t begin = 0;  ///< where the call's code begins: of its first range
    SourceLine source;        ///< of the last range that begins at or below the address
};

void ObjectSymbols::followAnnotations(ByteView annotations, const Function& function,
                                      std::uint32_t address, Site& site) const {
    const InlineeLine* start = inlinee(site.inlinee);
    SourceLine source;
    if (start != nullptr) source = {start->file, start->line};
    std::uint32_t offset = 0;  // from the function's start
    struct Row {
        std::uint32_t begin = 0;
        SourceLine source;
    };
    std::optional<Row> open;  // a range that waits for its end
    std::optional<std::uint32_t> first;
    const std::uint32_t wanted = address - function.begin;
    const auto close = [&](std::uint32_t end) {
        if (open && wanted >= open->begin) {
            site.source = open->source;
            if (wanted < end) {
                site.covers = true;
                site.begin = function.begin + first.value_or(open->begin);
            }
        }
        open.reset();
    };
    const auto begin = [&] {
        if (site.covers) return;
        close(offset);
        open = Row{offset, source};
        if (!first) first = offset;
    };
    Cursor cursor(annotations);
    while (!cursor.atEnd() && cursor.ok() && !site.covers) {
        switch (const std::uint32_t code = compressedInteger(cursor)) {
        case annotationEnd: cursor.skip(cursor.remaining()); break;
        case codeOffset:
            offset = compressedInteger(cursor);
            begin();
            break;
        case changeCodeOffset:
            offset += compressedInteger(cursor);
            begin();
            break;
        case changeCodeOffsetAndLineOffset: {
            const std::uint32_t both = compressedInteger(cursor);
            source.line += signedDelta(both >> 4);
            offset += both & 0xf;
            begin();
            break;
        }
        case changeCodeLength:
            offset += compressedInteger(cursor);
            close(offset);
            break;
        case changeCodeLengthAndCodeOffset: {
            const std::uint32_t length = compressedInteger(cursor);
            offset += compressedInteger(cursor);
            begin();
            close(offset + length);
            break;
        }
        case changeFile: source.file = compressedInteger(cursor); break;
        case changeLineOffset: source.line += signedDelta(compressedInteger(cursor)); break;
        case changeCodeOffsetBase:
        case changeLineEndDelta:
        case changeRangeKind:
        case changeColumnStart:
        case changeColumnEndDelta:
        case changeColumnEnd: (void)compressedInteger(cursor); break;
        default:
            (void)code;
            cursor.seek(UINT64_MAX);
            break;
        }
    }
    // MSVC leaves the last length out at times: the call ends where the next line of the function
    // around it begins.
    if (open && !site.covers) {
        const std::uint32_t next = nextLineStart(function.begin + open->begin);
        close(next == UINT32_MAX ? function.size : next - function.begin);
    }
}

std::vector<ObjectSymbols::InlineFrame> ObjectSymbols::inlines(const Function& function,
                                                               std::uint32_t address) const {
    std::vector<InlineFrame> frames;
    const auto first = symbolAt(symbols_, function.record);
    if (!first || (function.kind != symGProc32 && function.kind != symLProc32 &&
                   function.kind != symGProc32Id && function.kind != symLProc32Id))
        return frames;
    std::vector<Site> sites;
    std::vector<std::size_t> nesting;  // open scopes; SIZE_MAX for those that are no site
    std::size_t deepest = SIZE_MAX, deepestLevel = 0;
    const auto innermostSite = [&] {
        for (std::size_t i = nesting.size(); i-- > 0;) {
            if (nesting[i] != SIZE_MAX) return nesting[i];
        }
        return SIZE_MAX;
    };
    std::uint64_t at = first->next;
    while (const auto record = symbolAt(symbols_, at)) {
        at = record->next;
        switch (record->kind) {
        case symBlock32:
        case symWith32: nesting.push_back(SIZE_MAX); break;
        case symInlineSite:
        case symInlineSite2: {
            const auto fixed = fixedPart<InlineSite>(*record);
            Site site;
            site.parent = innermostSite();
            site.record = record->offset;
            if (fixed) site.inlinee = fixed->inlinee;
            const std::uint64_t head =
                sizeof(InlineSite) + (record->kind == symInlineSite2 ? 4 : 0);
            followAnnotations(record->content.slice(head), function, address, site);
            nesting.push_back(sites.size());
            if (site.covers && nesting.size() >= deepestLevel) {
                deepest = sites.size();
                deepestLevel = nesting.size();
            }
            sites.push_back(site);
            break;
        }
        case symEnd:
        case symProcIdEnd:
        case symInlineSiteEnd:
            if (nesting.empty()) {
                at = symbols_.size();  // the function's own end
                break;
            }
            nesting.pop_back();
            break;
        default:
            // Another function inside one: the records are damaged.
            if (record->kind == symGProc32 || record->kind == symLProc32) at = symbols_.size();
            break;
        }
    }
    for (std::size_t i = deepest; i != SIZE_MAX; i = sites[i].parent) {
        const Site& site = sites[i];
        frames.push_back(
            {site.inlinee, site.covers ? site.begin : function.begin, site.source, site.record});
    }
    return frames;
}

}  // namespace icecore::pdb
