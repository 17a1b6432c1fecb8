// .sympath, .symfix, .reload, !sym.
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/module_text.h"

namespace icecore::debugger {

namespace {

void showPath(CommandCall& call) {
    const SymbolOptions& options = call.session.symbolizer().options();
    call.out.print("Symbol search path is: {}\n",
                   options.path.empty() ? "<empty>" : printable(options.path));
    if (options.useDefaultPaths) {
        call.out.write("Besides: the modules' own paths, /usr/lib/debug\n");
    }
    if (!options.root.empty()) call.out.print("Target's root: {}\n", printable(options.root));
    call.out.print("Servers (DEBUGINFOD_URLS): {}\n", options.debuginfodUrls.empty()
                                                          ? "none: the network is not used"
                                                          : printable(options.debuginfodUrls));
}

/// Looks for a module's files now and tells how it went.
void loadNow(CommandCall& call, const Module& module) {
    const ModuleSymbols& symbols = call.session.symbolizer().module(module);
    if (call.session.noisySymbols) {
        call.session.toldSymbols.insert(&module);
        call.out.write(symbolSearchText(call.session, module, symbols));
        return;
    }
    call.out.print("{}: {}\n", call.session.moduleNames().name(module),
                   symbolStateText(call.session, module));
}

}  // namespace

Result<void> reloadSymbols(CommandCall& call) {
    bool now = false, anyFile = false;
    while (call.arguments.rest().starts_with('/') || call.arguments.rest().starts_with('-')) {
        for (const char letter : call.arguments.takeWord().substr(1)) {
            switch (letter) {
            case 'f': now = true; break;
            case 'i': anyFile = true; break;
            case 'd':
            case 'n':
            case 's':
            case 'u':
            case 'v':
            case 'w':
            case 'a':
            case 'o': break;
            default: return fail(Errc::usage, fmt::format(".reload: unknown option /{}", letter));
            }
        }
    }
    const std::string_view name = call.arguments.takeWord();
    TRY(call.arguments.finish());
    Session& session = call.session;
    std::vector<const Module*> modules = session.moduleNames().matching(name.empty() ? "*" : name);
    if (modules.empty()) {
        return fail(Errc::not_found,
                    fmt::format("no module is called '{}' (lm lists them)", printable(name)));
    }
    SymbolOptions options = session.symbolizer().options();
    options.allowMismatch = anyFile;
    session.reload(std::move(options));
    if (anyFile) {
        call.out.write(
            "Files that do not match the dump are used from now on and marked as FORCED; "
            ".reload without /i ends that.\n");
    }
    if (!now && name.empty()) {
        call.out.write("Symbols are looked for anew when they are needed.\n");
        return {};
    }
    for (const Module* module : modules) {
        if (session.interrupted()) break;
        loadNow(call, *module);
    }
    return {};
}

Result<void> symbolNoise(CommandCall& call) {
    const std::string_view word = call.arguments.takeWord();
    TRY(call.arguments.finish());
    Session& session = call.session;
    if (equalsIgnoreCase(word, "noisy")) {
        session.noisySymbols = true;
        // What was found before is told by .reload; from now on everything new is.
        for (const Module& module : session.process().modules) {
            if (session.symbolizer().loadedModule(module) != nullptr)
                session.toldSymbols.insert(&module);
        }
    } else if (equalsIgnoreCase(word, "quiet")) {
        session.noisySymbols = false;
    } else if (!word.empty()) {
        return fail(Errc::usage, "!sym noisy, !sym quiet");
    }
    call.out.print("{} - symbol prompts off\n", session.noisySymbols ? "noisy mode" : "quiet mode");
    return {};
}

Result<void> symbolPath(CommandCall& call) {
    SymbolOptions options = call.session.symbolizer().options();
    std::string_view text = call.arguments.takeRest();
    if (text.empty()) {
        showPath(call);
        return {};
    }
    const bool append = text.starts_with('+');
    if (append) text = trim(text.substr(1));
    if (append && !options.path.empty()) {
        options.path += ';';
        options.path += text;
    } else {
        options.path = std::string(text);
    }
    call.session.reload(std::move(options));
    showPath(call);
    return {};
}

Result<void> fixSymbolPath(CommandCall& call) {
    SymbolOptions options = call.session.symbolizer().options();
    std::string_view text = call.arguments.takeRest();
    const bool append = text.starts_with('+');
    if (append) text = trim(text.substr(1));
    options.useDefaultPaths = true;
    if (!append) options.path.clear();
    std::string element(text);
    // Of a dump of Windows this names Microsoft's server, with the directory as its store. Of
    // others it goes back to where distributions put debug files, and to the directory given;
    // servers stay what DEBUGINFOD_URLS says.
    if (call.session.process().system.os == Os::windows)
        element = fmt::format("srv*{}*https://msdl.microsoft.com/download/symbols", text);
    if (!element.empty()) {
        if (!options.path.empty()) options.path += ';';
        options.path += element;
    }
    call.session.reload(std::move(options));
    showPath(call);
    return {};
}

}  // namespace icecore::debugger
