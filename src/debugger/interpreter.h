// Runs lines of commands: joins, comments, aliases, thread prefixes, dispatch.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "debugger/aliases.h"
#include "debugger/command_cutter.h"
#include "debugger/output.h"
#include "debugger/session.h"

namespace icecore::debugger {

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
    /// What `.break`, `.continue`, `.leave` and an error in `.catch` leave, until the loop or the
    /// block around them takes note.
    enum class Leaving : std::uint8_t { nothing, iteration, loop, guarded };

    bool executeOne(const CutCommand& command, int depth);
    bool executeLine(std::string_view line, int depth);
    bool executeForThreads(const CutCommand& command, int depth);
    bool dispatch(std::string_view word, std::string_view arguments, int depth);
    bool report(const Result<void>& result);
    /// `!sym noisy`: tells about modules whose files were looked for since the last time.
    void tellSymbolSearches();
    [[nodiscard]] bool stopped() const;
    /// One more command; false when the line has come to too many.
    bool countCommand();
    [[nodiscard]] std::string withAliases(std::string_view line) const;

    /// A line whose output is not printed but goes to `caught`.
    bool captureLine(std::string_view line, int depth, std::string& caught);
    /// Commands in braces: aliases that were set before on the same line are known in them.
    bool executeBlock(std::string_view block, int depth);

    // alias_commands.cpp
    bool executeAlias(std::string_view word, std::string_view arguments, int depth);
    Result<std::string> aliasValue(std::string_view option, std::string_view text, int depth);

    // control_flow.cpp
    bool executeControl(std::string_view word, std::string_view arguments, int depth);
    bool executeIf(std::string_view text, int depth);
    bool executeForEach(std::string_view text, int depth);
    bool executeFor(std::string_view text, int depth);
    bool executeWhile(std::string_view text, int depth);
    bool executeDo(std::string_view text, int depth);
    bool executeEither(std::string_view text, int depth);
    bool executeCatch(std::string_view text, int depth);
    /// Condition true: the body once, until it is false, `.break` or an error.
    bool loop(std::string_view condition, std::string_view body, std::string_view step, int depth);

    /// Behind a turn of a loop: whether there may be another one.
    bool nextTurn();

    // script.cpp
    bool runScript(std::string_view word, std::string_view arguments, int depth);

    Session& session_;
    /// Writes to the screen and, while one is open, to the log; or to what catches it all.
    class Tee final : public Output {
    public:
        Tee(Session& session, Output& screen) : session_(session), screen_(screen) {}
        void write(std::string_view text) override;
        void clear() override { screen_.clear(); }
        /// Everything goes to `catcher` from now on; null: out again. Returns what did so before.
        Output* redirect(Output* catcher) { return std::exchange(catcher_, catcher); }

    private:
        Session& session_;
        Output& screen_;
        Output* catcher_ = nullptr;
    };
    Tee out_;
    Leaving leaving_ = Leaving::nothing;
    int guards_ = 0;                ///< `.catch` around what runs
    std::size_t commandsLeft_ = 0;  ///< of the line that is run
};

}  // namespace icecore::debugger
