// Names that stand for text, and how they are put into a line.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace icecore::debugger {

class Session;

/// Names are as they were typed: case counts.
using Aliases = std::map<std::string, std::string, std::less<>>;

/// WinDbg's automatic aliases for a dump: the modules that hold the system's symbols (of dumps of
/// Windows; of both sides where it has two) and where the dump's file is. A dump out of an archive
/// it has none of: those are empty.
Aliases automaticAliasesOf(const Session& session);

/// `text` with aliases put in: NAME where it stands between blanks, brackets or ';', `${NAME}`
/// anywhere. `${/d:NAME}` is 1 or 0, whether there is such an alias; `${/f:NAME}` is empty where
/// there is none, `${/n:NAME}` the name where there is one; `${/v:NAME}` stays. One pass, no
/// recursion.
std::string putAliases(const Aliases& aliases, std::string_view text);
/// Whether the line defines aliases (`as`, `ad`, `al`): nothing is put into it.
bool definesAliases(std::string_view line);
/// `text` with "$u0" to "$u9" put in, wherever they stand.
std::string putFixedAliases(const std::array<std::optional<std::string>, 10>& fixed,
                            std::string_view text);

}  // namespace icecore::debugger
