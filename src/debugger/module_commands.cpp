// lm and its variants.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/module_text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

struct Options {
    bool verbose = false;     ///< v
    bool loadedOnly = false;  ///< l: modules whose symbols were looked for
    bool namesOnly = false;   ///< 1m
    bool full = false;        ///< f: path instead of symbol state
    std::string pattern = "*";
    std::optional<std::uint64_t> address;
};

/// Letters of "lmvm", "-v", "/v", "v m PATTERN" in any order; m and a take what follows.
Result<void> readLetters(CommandCall& call, std::string_view letters, Options& options) {
    for (const char letter : letters) {
        switch (letter) {
        case 'v': options.verbose = true; break;
        case 'l': options.loadedOnly = true; break;
        case '1': options.namesOnly = true; break;
        case 'f': options.full = true; break;
        case 'm':
            if (!call.arguments.empty()) {
                options.pattern = std::string(call.arguments.takeWord());
            } else if (!options.namesOnly) {
                return fail(Errc::usage, "lm m PATTERN");
            }
            break;
        case 'a': {
            ASSIGN_OR_RETURN(options.address, call.arguments.takeExpression());
            break;
        }
        case 'n':
        case 't':
        case 'u':
        case 'k':
        case 'o':
        case 'e':
        case 'c':
        case 's':
        case 'p':
        case 'i':
        case 'D':
        case '-':
        case '/': break;  // no difference here
        default: return fail(Errc::usage, fmt::format("lm: unknown option '{}'", letter));
        }
    }
    return {};
}

}  // namespace

Result<void> listModules(CommandCall& call) {
    Options options;
    TRY(readLetters(call, call.flags, options));
    while (!call.arguments.empty()) {
        std::string_view word = call.arguments.rest();
        if (word.starts_with('-') || word.starts_with('/')) call.arguments.skip(1);
        word = call.arguments.takeWord();
        TRY(readLetters(call, word, options));
    }
    Session& session = call.session;
    if (!options.namesOnly) {
        call.out.write(session.pointerSize() == 4 ? "start    end        module name\n"
                                                  : "start             end                 module "
                                                    "name\n");
    }
    std::vector<const Module*> modules;
    if (options.address) {
        if (const Module* module = session.process().moduleAt(*options.address))
            modules.push_back(module);
    } else {
        modules = session.moduleNames().matching(options.pattern);
    }
    for (const Module* module : modules) {
        if (session.interrupted()) break;
        const std::string& name = session.moduleNames().name(*module);
        if (options.loadedOnly && session.symbolizer().loadedModule(*module) == nullptr) continue;
        if (options.namesOnly) {
            call.out.print("{}\n", name);
            continue;
        }
        call.out.print("{} {}   {:<10} {}\n", addressText(session, module->range.begin()),
                       addressText(session, module->range.end()), name,
                       options.full ? printable(module->path) : symbolStateText(session, *module));
        if (options.verbose) call.out.write(moduleDetailsText(session, *module));
    }
    const bool everything = options.pattern == "*" && !options.address;
    if (everything && !session.process().unloadedModules.empty() && !options.namesOnly) {
        call.out.write("\nUnloaded modules:\n");
        for (const UnloadedModule& module : session.process().unloadedModules) {
            call.out.print("{} {}   {}\n", addressText(session, module.range.begin()),
                           addressText(session, module.range.end()), printable(module.path));
        }
    }
    if (modules.empty() && !everything) {
        return fail(Errc::not_found, options.address ? "no module lies at that address"
                                                     : fmt::format("no module matches '{}'",
                                                                   printable(options.pattern)));
    }
    return {};
}

}  // namespace icecore::debugger
