// Runs lines of commands: joins, comments, aliases, thread prefixes, dispatch.
#pragma once

#include <string>
#include <string_view>

#include "debugger/output.h"
#include "debugger/session.h"

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

/// `line` with aliases put in: `${NAME}` anywhere, NAME where it stands between blanks or ';'.
/// Lines that define aliases (`as`, `ad`, `al`) stay as they are. One pass, no recursion.
std::string expandAliases(const Session& session, std::string_view line);

class Interpreter {
public:
    /// Both must outlive it.
    Interpreter(Session& session, Output& out);

    /// Runs all commands of a line, stopping at an interrupt or `q`. Errors are printed as they
    /// occur and do not stop the commands after them. True when none failed.
    bool execute(std::string_view line);

    /// "0:000> ", with the current thread's number.
    [[nodiscard]] std::string prompt() const;

private:
    bool executeOne(const CutCommand& command, int depth);
    bool executeLine(std::string_view line, int depth);
    bool executeForThreads(const CutCommand& command, int depth);
    bool dispatch(std::string_view word, std::string_view arguments);
    bool report(const Result<void>& result);
    /// `!sym noisy`: tells about modules whose files were looked for since the last time.
    void tellSymbolSearches();

    Session& session_;
    /// Writes to the screen and, while one is open, to the log.
    class Tee final : public Output {
    public:
        Tee(Session& session, Output& screen) : session_(session), screen_(screen) {}
        void write(std::string_view text) override;
        void clear() override { screen_.clear(); }

    private:
        Session& session_;
        Output& screen_;
    };
    Tee out_;
};

}  // namespace icecore::debugger
