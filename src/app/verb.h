// A verb of the command line: one row of the table in verbs.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace icecore::app {

/// Exit statuses of the program (see docs/cli.md).
enum ExitStatus : int { done = 0, failed = 1, usage = 2, doneWithLosses = 3 };

/// One run of a verb: options are bound to its members by `declare`, then `run` is called.
class VerbRun {
public:
    virtual ~VerbRun() = default;
    virtual void declare(CLI::App& command) = 0;
    /// Takes arguments away that are not to be parsed as options: a command line within ours.
    virtual void takeRest(std::vector<std::string>& /*arguments*/) {}
    [[nodiscard]] virtual int run() = 0;
};

struct Verb {
    std::string_view name;
    std::string_view summary;  ///< one line for `icecore help`
    std::unique_ptr<VerbRun> (*create)();
};

/// All verbs, in the order `icecore help` lists them.
std::span<const Verb> allVerbs();

}  // namespace icecore::app
