// ls, lsa, .srcpath.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t linesBefore = 5, linesAfter = 5;
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

Result<void> printLines(CommandCall& call, const Place& place, std::uint32_t first,
                        std::uint32_t last, bool mark) {
    const auto path = findSource(call.session, place.file);
    if (!path) {
        return fail(Errc::not_found,
                    fmt::format("the source {} is not here (line {}); .srcpath DIRECTORY helps",
                                printable(place.file), place.line));
    }
    std::error_code error;
    if (fs::file_size(*path, error) > longestFile || error)
        return fail(Errc::limit, "the source file is too long", path->string());
    std::ifstream file(*path);
    std::string line;
    for (std::uint32_t number = 1; number <= last && std::getline(file, line); ++number) {
        if (number < first || call.session.interrupted()) continue;
        if (!line.empty() && line.back() == '\r') line.pop_back();
        std::string shown;
        for (const char c : line) {
            if (c == '\t')
                shown.append(4 - shown.size() % 4, ' ');
            else
                shown += c;
        }
        call.out.print("{}{:>5}: {}\n", mark && number == place.line ? '>' : ' ', number,
                       printable(shown));
    }
    return {};
}

}  // namespace

Result<void> listSource(CommandCall& call) {
    Session& session = call.session;
    Place place;
    if (call.name == "ls" && !call.arguments.empty()) {
        // ls FIRST [COUNT]: lines of the file last looked at, or of where we stand; decimal as in
        // the file.
        const auto first = parseDecimal(call.arguments.takeWord());
        const auto count = call.arguments.empty() ? std::optional<std::uint64_t>(10)
                                                  : parseDecimal(call.arguments.takeWord());
        TRY(call.arguments.finish());
        if (!first || !count || *first == 0 || *first > UINT32_MAX || *count > 100'000)
            return fail(Errc::usage, "ls [FIRST [COUNT]], decimal");
        place.file = session.lastSource;
        if (place.file.empty())
            place.file =
                placeOf(session, session.registers().pc(), session.pcIsReturnAddress()).file;
        if (place.file.empty()) return fail(Errc::not_found, "no source is current; lsa finds it");
        place.line = static_cast<std::uint32_t>(*first);
        return printLines(call, place, place.line, static_cast<std::uint32_t>(*first + *count - 1),
                          false);
    }
    if (call.arguments.empty() || call.arguments.rest() == ".") {
        call.arguments.takeRest();
        const NamedStack& stack = session.stack();
        if (session.frame() < stack.frames.size()) {
            const NamedFrame& frame = stack.frames[session.frame()];
            place = {frame.file, frame.line};
        }
    } else {
        ASSIGN_OR_RETURN(const std::uint64_t address, call.arguments.takeExpression());
        TRY(call.arguments.finish());
        place = placeOf(session, address, false);
    }
    if (place.line == 0) return fail(Errc::not_found, "no line information for this address");
    session.lastSource = place.file;
    call.out.print("{} @ {}\n", printable(place.file), place.line);
    return printLines(call, place, place.line > linesBefore ? place.line - linesBefore : 1,
                      place.line + linesAfter, true);
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
