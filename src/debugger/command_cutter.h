// Cuts lines into commands: thread prefixes, names, arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icecore::debugger {

/// A thread prefix: `~*`, `~.`, `~#`, `~3`, `~~[TID]`.
struct ThreadPrefix {
    enum class Kind : std::uint8_t { none, all, current, event, number, id };
    Kind kind = Kind::none;
    std::uint64_t number = 0;  ///< of `number`
    std::string_view id;       ///< expression of `id`
};

/// One command of a line, cut but not understood.
struct CutCommand {
    ThreadPrefix thread;
    bool tilde = false;     ///< it began with '~'
    std::string_view word;  ///< "kbn", "!address", ".frame", "~" alone, "?"
    std::string_view arguments;
};

/// Cuts the first command off `line` and moves `line` behind it; `usage` for an unfinished prefix.
/// An empty word means that nothing was left (blanks, a comment).
Result<CutCommand> cutCommand(std::string_view& line);

/// `.if`, `.foreach`…: their arguments hold commands in braces, and semicolons with them.
bool isControlWord(std::string_view word);
/// `$<`, `$$>a<`…: the commands that run a file of commands. Null when `line` does not begin so.
std::string_view scriptWord(std::string_view line);

/// Takes what stands between `open` and its `close` at the front of `text`, inner pairs and quotes
/// respected; `usage` when it is not there.
Result<std::string_view> takeBracketed(std::string_view& text, char open, char close);

}  // namespace icecore::debugger
