// s: bytes, numbers and strings in memory.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/range.h"
#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/memory_read.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

constexpr std::size_t chunkSize = std::size_t{1} << 20U;
/// Lines one search prints at most.
constexpr std::size_t mostHits = 100'000;

struct Search {
    enum class Kind { bytes, words, dwords, qwords, ascii, unicode, asciiStrings, wideStrings };
    Kind kind = Kind::bytes;
    bool addressesOnly = false;  ///< [1]
    std::size_t shortest = 3;    ///< [lN]: characters of -sa and -su
    Range range;
    std::string pattern;  ///< the bytes looked for
};

std::size_t unitOf(Search::Kind kind) {
    switch (kind) {
    case Search::Kind::words:
    case Search::Kind::unicode:
    case Search::Kind::wideStrings: return 2;
    case Search::Kind::dwords: return 4;
    case Search::Kind::qwords: return 8;
    default: return 1;
    }
}

/// "-a", "-[1]d", "-[l8]sa".
Result<void> readOption(std::string_view option, Search& search) {
    option.remove_prefix(1);
    if (option.starts_with('[')) {
        const std::size_t close = option.find(']');
        if (close == std::string_view::npos) return fail(Errc::usage, "s: '[' is not closed");
        const std::string_view flags = option.substr(1, close - 1);
        if (flags.find('1') == 0) search.addressesOnly = true;
        if (const std::size_t at = flags.find('l'); at != std::string_view::npos) {
            const auto length = parseDecimal(flags.substr(at + 1));
            if (!length || *length == 0 || *length > 1000)
                return fail(Errc::usage, "s: [lN] takes a length from 1 to 1000");
            search.shortest = static_cast<std::size_t>(*length);
        }
        option.remove_prefix(close + 1);
    }
    using Kind = Search::Kind;
    if (option == "b" || option.empty())
        search.kind = Kind::bytes;
    else if (option == "w")
        search.kind = Kind::words;
    else if (option == "d")
        search.kind = Kind::dwords;
    else if (option == "q")
        search.kind = Kind::qwords;
    else if (option == "a")
        search.kind = Kind::ascii;
    else if (option == "u")
        search.kind = Kind::unicode;
    else if (option == "sa")
        search.kind = Kind::asciiStrings;
    else if (option == "su")
        search.kind = Kind::wideStrings;
    else
        return fail(Errc::usage, fmt::format("s: unknown option '-{}'", printable(option)));
    return {};
}

void appendUnit(std::string& bytes, std::uint64_t value, std::size_t unit) {
    for (std::size_t i = 0; i < unit; ++i)
        bytes += static_cast<char>(value >> (8 * i) & 0xffU);
}

/// What stands behind the range: a "text", or values.
Result<std::string> readPattern(CommandCall& call, Search::Kind kind) {
    std::string bytes;
    const std::size_t unit = unitOf(kind);
    if (kind == Search::Kind::ascii || kind == Search::Kind::unicode) {
        std::string_view text = call.arguments.takeRest();
        if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
            text = text.substr(1, text.size() - 2);
        if (kind == Search::Kind::ascii) return std::string(text);
        for (const char16_t c : utf8ToUtf16(text))
            appendUnit(bytes, c, 2);
        return bytes;
    }
    while (!call.arguments.empty()) {
        const std::string_view rest = call.arguments.rest();
        if (rest.front() == '"') {
            for (const char c : call.arguments.takeWord())
                appendUnit(bytes, static_cast<unsigned char>(c), unit);
            continue;
        }
        ASSIGN_OR_RETURN(const std::uint64_t value, call.arguments.takeExpression());
        if (unit < 8 && value >> (8 * unit) != 0)
            return fail(Errc::usage, fmt::format("s: {:x} does not fit {} bytes", value, unit));
        appendUnit(bytes, value, unit);
    }
    return bytes;
}

Result<Search> readSearch(CommandCall& call) {
    Search search;
    if (call.arguments.rest().starts_with('-')) {
        TRY(readOption(call.arguments.takeWord(), search));
    }
    const std::size_t unit = unitOf(search.kind);
    ASSIGN_OR_RETURN(const ObjectRange range, call.arguments.takeRange(unit));
    if (!range.count) return fail(Errc::usage, "s RANGE PATTERN: how far? (ADDRESS L?COUNT)");
    search.range = Range::ofSize(range.address, *range.count * unit);
    const bool strings =
        search.kind == Search::Kind::asciiStrings || search.kind == Search::Kind::wideStrings;
    if (strings) {
        TRY(call.arguments.finish());
        return search;
    }
    ASSIGN_OR_RETURN(search.pattern, readPattern(call, search.kind));
    if (search.pattern.empty()) return fail(Errc::usage, "s: nothing to look for");
    if (search.pattern.size() > 4096) return fail(Errc::limit, "s: the pattern is too long");
    return search;
}

/// The readable parts of `within`; neighbours are one, so that a match may lie across. The inside
/// of long runs known to be zero is left out when the pattern is not all zero.
std::vector<Range> readableRanges(const AddressSpace& memory, const Search& search) {
    constexpr std::uint64_t edge = 8192;  // longer than any pattern
    const bool zeros = std::ranges::all_of(search.pattern, [](char c) { return c == '\0'; }) &&
                       !search.pattern.empty();
    std::vector<Range> ranges;
    const auto add = [&](Range range) {
        if (range.empty()) return;
        if (!ranges.empty() && ranges.back().end() == range.begin()) {
            ranges.back() = Range::between(ranges.back().begin(), range.end());
        } else {
            ranges.push_back(range);
        }
    };
    for (const Extent& extent : memory.extents(search.range)) {
        if (extent.absence != Absence::none) continue;
        const Range range = extent.range.intersect(search.range);
        if (!extent.zero || zeros || range.size() <= 2 * edge) {
            add(range);
            continue;
        }
        add(Range::ofSize(range.begin(), edge));
        add(Range::ofSize(range.end() - edge, edge));
    }
    return ranges;
}

void printHit(CommandCall& call, const Search& search, std::uint64_t address) {
    if (search.addressesOnly) {
        call.out.print("0x{}\n", addressText(call.session, address));
        return;
    }
    const PatchyBytes line(call.session.memory(), address, 16);
    call.out.print("{}  {}\n", addressText(call.session, address),
                   valuesText(line, 0, 16, unitOf(search.kind), true));
}

/// Reads a range in chunks; `visit(bytes, address, last)` returns how many bytes at the end it
/// wants to see again in front of the next chunk.
template <class Visit>
void scan(const Session& session, const Range& range, Visit visit) {
    std::string buffer;
    std::uint64_t at = range.begin();
    std::size_t kept = 0;
    while (at < range.end() && !session.interrupted()) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(chunkSize, range.end() - at));
        buffer.resize(kept + wanted);
        const std::size_t count =
            session.memory()
                .read(at, std::as_writable_bytes(std::span(buffer)).subspan(kept, wanted))
                .bytes;
        buffer.resize(kept + count);
        const bool last = count < wanted || at + count >= range.end();
        const std::size_t keep = visit(std::string_view(buffer), at - kept, last);
        at += count;
        if (count < wanted) {
            // Less than the extents promised: go on behind the byte that cannot be read.
            ++at;
            kept = 0;
            continue;
        }
        kept = std::min(keep, buffer.size());
        buffer.erase(0, buffer.size() - kept);
    }
}

std::size_t findPattern(CommandCall& call, const Search& search, const Range& range,
                        std::size_t found) {
    scan(call.session, range, [&](std::string_view bytes, std::uint64_t address, bool) {
        for (std::size_t at = bytes.find(search.pattern);
             at != std::string_view::npos && found < mostHits && !call.session.interrupted();
             at = bytes.find(search.pattern, at + 1)) {
            // Values are looked for at every whole step from the range's start, as WinDbg does.
            if ((address + at - search.range.begin()) % unitOf(search.kind) != 0) continue;
            printHit(call, search, address + at);
            ++found;
        }
        return search.pattern.size() - 1;
    });
    return found;
}

std::size_t findStrings(CommandCall& call, const Search& search, const Range& range,
                        std::size_t found) {
    const std::size_t unit = unitOf(search.kind);
    const auto isText = [&](std::string_view bytes, std::size_t at) {
        const auto c = static_cast<unsigned char>(bytes[at]);
        return c >= 0x20 && c < 0x7f && (unit == 1 || bytes[at + 1] == '\0');
    };
    scan(call.session, range, [&](std::string_view bytes, std::uint64_t address, bool last) {
        std::size_t at = 0;
        while (at + unit <= bytes.size() && found < mostHits && !call.session.interrupted()) {
            std::size_t end = at;
            std::string text;
            while (end + unit <= bytes.size() && isText(bytes, end)) {
                text += bytes[end];
                end += unit;
            }
            // A string at the edge of a chunk is read whole with the next one, unless it is huge.
            if (end + unit > bytes.size() && !last && text.size() < 4096) return bytes.size() - at;
            if (text.size() >= search.shortest) {
                call.out.print("{}  \"{}\"\n", addressText(call.session, address + at), text);
                ++found;
            }
            at = end == at ? at + 1 : end;
        }
        return bytes.size() - std::min(at, bytes.size());
    });
    return found;
}

}  // namespace

Result<void> searchMemory(CommandCall& call) {
    ASSIGN_OR_RETURN(const Search search, readSearch(call));
    std::size_t found = 0;
    for (const Range& range : readableRanges(call.session.memory(), search)) {
        if (found >= mostHits || call.session.interrupted()) break;
        found = search.pattern.empty() ? findStrings(call, search, range, found)
                                       : findPattern(call, search, range, found);
    }
    if (found >= mostHits) call.out.print("(stopped after {} hits)\n", mostHits);
    return {};
}

}  // namespace icecore::debugger
