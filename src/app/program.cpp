#include "app/program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <vector>

#include "app/report.h"
#include "app/verb.h"
#include "base/text.h"
#include "base/version.h"

namespace icecore::app {

namespace {

#ifdef ICECORE_VERSION
static_assert(versionText == ICECORE_VERSION, "base/version.h and CMakeLists.txt differ");
#endif

const Verb* findVerb(std::string_view name) {
    const auto verbs = allVerbs();
    const auto found = std::ranges::find(verbs, name, &Verb::name);
    return found == verbs.end() ? nullptr : &*found;
}

int unknownVerb(std::string_view name) {
    const std::string_view near = nearestVerb(name);
    printError(name, near.empty() ? "no such verb; `icecore help` lists them"
                                  : fmt::format("no such verb; did you mean `{}`?", near));
    return usage;
}

void printHelp(std::FILE* to) {
    fmt::print(to,
               "icecore takes memory dumps and reads them.\n\n"
               "Usage: icecore VERB …\n"
               "       icecore help VERB\n"
               "       icecore --version\n\n"
               "Verbs:\n");
    for (const Verb& verb : allVerbs())
        fmt::print(to, "  {:<10} {}\n", verb.name, verb.summary);
    fmt::print(to,
               "\nExit status: 0 done; 1 the input or target could not be used; 2 wrong usage;\n"
               "3 done, with losses that the output names.\n");
}

/// The command line of one verb, ready to parse or to explain itself.
struct Command {
    std::unique_ptr<VerbRun> run;
    CLI::App app;

    explicit Command(const Verb& verb)
        : run(verb.create()), app(std::string(verb.summary), fmt::format("icecore {}", verb.name)) {
        app.set_help_flag("-h,--help", "this text");
        run->declare(app);
    }
};

int runVerb(const Verb& verb, std::span<const std::string> arguments) {
    Command command(verb);
    // CLI11 wants them last first.
    std::vector<std::string> reversed(arguments.begin(), arguments.end());
    command.run->takeRest(reversed);
    std::ranges::reverse(reversed);
    try {
        command.app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        fmt::print("{}", command.app.help());
        return done;
    } catch (const CLI::ParseError& error) {
        std::string message = error.what();
        std::ranges::replace(message, '\n', ' ');
        printError(verb.name, fmt::format("{}; see `icecore help {}`", message, verb.name));
        return usage;
    }
    return command.run->run();
}

int runHelp(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        printHelp(stdout);
        return done;
    }
    const Verb* verb = findVerb(arguments.front());
    if (verb == nullptr) return unknownVerb(arguments.front());
    fmt::print("{}", Command(*verb).app.help());
    return done;
}

int dispatch(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        printHelp(stderr);
        return usage;
    }
    const std::string& first = arguments.front();
    const auto rest = arguments.subspan(1);
    if (first == "help" || first == "--help" || first == "-h") return runHelp(rest);
    if (first == "--version" || first == "-V") {
        fmt::print("icecore {}\n", versionText);
        return done;
    }
    const Verb* verb = findVerb(first);
    return verb == nullptr ? unknownVerb(first) : runVerb(*verb, rest);
}

}  // namespace

std::string_view nearestVerb(std::string_view typed) {
    std::string_view nearest;
    std::size_t best = 3;  // further away it is a guess, not a slip
    if (typed.size() > 32) return {};
    for (const Verb& verb : allVerbs()) {
        const std::size_t distance = editDistance(toLower(typed), verb.name);
        if (distance < best && distance < verb.name.size()) {
            best = distance;
            nearest = verb.name;
        }
    }
    return nearest;
}

int runProgram(std::span<const std::string> arguments) {
    int status = dispatch(arguments);
    // What was printed may still sit in the buffer: a full disk shows only now.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        printError("standard output", "cannot write");
        if (status == done || status == doneWithLosses) status = failed;
    }
    return status;
}

}  // namespace icecore::app
