// ls, lsa, lsc, .srcpath.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

namespace fs = std::filesystem;

/// WinDbg's: ten lines, four of them before the one asked for.
constexpr std::uint32_t linesBefore = 4, linesShown = 10;
constexpr std::uint64_t mostLines = 100'000;
/// Source files longer than this are not shown: something else hides behind the name.
constexpr std::uintmax_t longestFile = 64U << 20U;

struct Place {
    std::string file;
    std::uint32_t line = 0;
};

/// The line of an address; of a return address that of the call.
Place placeOf(const Session& session, std::uint64_t address, bool isReturnAddress) {
    const Symbolization known = session.symbolizer().symbolize(address, isReturnAddress);
    for (const SymbolFrame& frame : known.frames) {
        if (frame.line != 0) return {frame.file, frame.line};
    }
    return {};
}

/// The file itself, or one of the source path that ends like it: the longest common end first.
std::optional<fs::path> findSource(const Session& session, const std::string& recorded) {
    std::error_code ignored;
    fs::path path(recorded);
    if (fs::is_regular_file(path, ignored)) return path;
    for (const std::string_view directory : split(session.sourcePath, ';')) {
        if (directory.empty()) continue;
        fs::path tail = path.relative_path();
        while (!tail.empty()) {
            if (fs::is_regular_file(fs::path(directory) / tail, ignored))
                return fs::path(directory) / tail;
            auto rest = tail.begin();
            fs::path shorter;
            for (++rest; rest != tail.end(); ++rest)
                shorter /= *rest;
            tail = shorter;
        }
    }
    return std::nullopt;
}

/// Lines from `first` on; `mark`: that one is marked.
Result<void> printLines(CommandCall& call, const std::string& source, std::uint64_t first,
                        std::uint64_t count, std::uint32_t mark) {
    const auto path = findSource(call.session, source);
    if (!path) {
        return fail(Errc::not_found, fmt::format("the source {} is not here (line {}); .srcpath "
                                                 "DIRECTORY helps",
                                                 printable(source), mark != 0 ? mark : first));
    }
    std::error_code error;
    if (fs::file_size(*path, error) > longestFile || error)
        return fail(Errc::limit, "the source file is too long", path->string());
    std::ifstream file(*path);
    std::string line;
    std::uint64_t number = 1;
    for (; number < first + count && std::getline(file, line); ++number) {
        if (number < first || call.session.interrupted()) continue;
        if (!line.empty() && line.back() == '\r') line.pop_back();
        std::string shown;
        for (const char c : line) {
            if (c == '\t')
                shown.append(4 - shown.size() % 4, ' ');
            else
                shown += c;
        }
        call.out.print("{}{:>6}: {}\n", number == mark ? '>' : ' ', number, printable(shown));
    }
    call.session.lastSource = source;
    call.session.nextSourceLine = static_cast<std::uint32_t>(std::max(number, first));
    return {};
}

/// `FIRST[, COUNT]`, decimal as lines are counted in the file; what is not given stays as it is.
bool takeLines(Arguments& arguments, std::uint64_t& first, std::uint64_t& count) {
    std::string text(arguments.takeRest());
    std::ranges::replace(text, ',', ' ');
    const auto words = splitBlanks(text);
    if (words.size() > 2) return false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto number = parseDecimal(words[i]);
        if (!number || *number == 0 || *number > (i == 0 ? UINT32_MAX : mostLines)) return false;
        (i == 0 ? first : count) = *number;
    }
    return true;
}

/// The line of the current frame.
Place placeOfFrame(const Session& session) {
    const NamedStack& stack = session.stack();
    if (session.frame() >= stack.frames.size()) return {};
    const NamedFrame& frame = stack.frames[session.frame()];
    return {frame.file, frame.line};
}

}  // namespace

/// `ls [.] [FIRST[, COUNT]]`: goes on where the last one ended.
Result<void> listSource(CommandCall& call) {
    Session& session = call.session;
    const bool here = call.arguments.takeKeyword(".");
    if (call.arguments.rest().starts_with(',')) call.arguments.skip(1);
    std::string file = session.lastSource;
    std::uint64_t first = session.nextSourceLine, count = linesShown;
    if (here || file.empty()) {
        const Place place = placeOfFrame(session);
        file = place.file;
        first = place.line > linesBefore ? place.line - linesBefore : 1;
    }
    if (!takeLines(call.arguments, first, count))
        return fail(Errc::usage, "ls [.] [FIRST[, COUNT]], decimal");
    if (file.empty()) return fail(Errc::not_found, "no source is current; lsa finds it");
    return printLines(call, file, first, count, 0);
}

/// `lsa ADDRESS[, FIRST[, COUNT]]`.
Result<void> listSourceAt(CommandCall& call) {
    Session& session = call.session;
    Place place;
    if (call.arguments.empty() || call.arguments.rest() == ".") {
        call.arguments.takeRest();
        place = placeOfFrame(session);
    } else {
        ASSIGN_OR_RETURN(const std::uint64_t address, call.arguments.takeExpression());
        place = placeOf(session, address, false);
    }
    if (call.arguments.rest().starts_with(',')) call.arguments.skip(1);
    std::uint64_t first = place.line > linesBefore ? place.line - linesBefore : 1;
    std::uint64_t count = linesShown;
    if (!takeLines(call.arguments, first, count))
        return fail(Errc::usage, "lsa [ADDRESS[, FIRST[, COUNT]]]");
    if (place.line == 0) return fail(Errc::not_found, "no line information for this address");
    return printLines(call, place.file, first, count, place.line);
}

Result<void> currentSource(CommandCall& call) {
    TRY(call.arguments.finish());
    if (call.session.lastSource.empty())
        return fail(Errc::not_found, "no source is current; lsa finds it");
    call.out.print("Current: {}({})\n", printable(call.session.lastSource),
                   call.session.nextSourceLine);
    return {};
}

Result<void> sourcePathCommand(CommandCall& call) {
    std::string_view text = call.arguments.takeRest();
    std::string& path = call.session.sourcePath;
    if (text.starts_with('+')) {
        text = trim(text.substr(1));
        if (!path.empty() && !text.empty()) path += ';';
        path += text;
    } else if (!text.empty()) {
        path = std::string(text);
    }
    call.out.print("Source search path is: {}\n", path.empty() ? "<empty>" : printable(path));
    return {};
}

}  // namespace icecore::debugger
