// Names that stand for text, and how they are put into a line.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace icecore::debugger {

/// Names are as they were typed: case counts.
using Aliases = std::map<std::string, std::string, std::less<>>;

/// `text` with aliases put in: NAME where it stands between blanks, brackets or ';', `${NAME}`
/// anywhere. `${/d:NAME}` is 1 or 0, whether there is such an alias; `${/f:NAME}` is empty where
/// there is none, `${/n:NAME}` the name where there is one; `${/v:NAME}` stays. One pass, no
/// recursion.
std::string putAliases(const Aliases& aliases, std::string_view text);
/// As putAliases, but lines that define aliases (`as`, `ad`, `al`) stay as they are.
std::string expandAliases(const Aliases& aliases, std::string_view line);

}  // namespace icecore::debugger
