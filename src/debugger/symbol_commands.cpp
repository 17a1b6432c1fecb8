// x, ln.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// Symbols one `x` prints at most; it says so when there are more.
constexpr std::size_t mostSymbols = 20'000;

}  // namespace

Result<void> examineSymbols(CommandCall& call) {
    bool byAddress = false, byName = false, sizes = false;
    while (call.arguments.rest().starts_with('/')) {
        std::string_view options = call.arguments.takeWord();
        for (const char option : options.substr(1)) {
            if (option == 'a') byAddress = true;
            if (option == 'n') byName = true;
            if (option == 'v' || option == 's') sizes = true;
        }
    }
    const std::string_view pattern = call.arguments.takeRest();
    if (pattern.empty()) return fail(Errc::usage, "x MODULE!PATTERN, e.g. x libc!mallo*");
    Session& session = call.session;
    const std::size_t bang = pattern.find('!');
    const std::string_view name =
        bang == std::string_view::npos ? pattern : pattern.substr(bang + 1);
    std::vector<const Module*> modules = session.moduleNames().matching(
        bang == std::string_view::npos ? "*" : pattern.substr(0, bang));
    if (modules.empty()) {
        return fail(Errc::not_found, fmt::format("no module matches '{}' (lm lists them)",
                                                 printable(pattern.substr(0, bang))));
    }
    std::vector<Symbol> found;
    for (const Module* module : modules) {
        if (session.interrupted() || found.size() > mostSymbols) break;
        for (Symbol& symbol :
             session.symbolizer().find(module->fileName(), name, mostSymbols + 1)) {
            if (symbol.module == module) found.push_back(std::move(symbol));
        }
    }
    if (byName) std::ranges::stable_sort(found, {}, &Symbol::name);
    if (byAddress) std::ranges::stable_sort(found, {}, &Symbol::address);
    const bool cut = found.size() > mostSymbols;
    if (cut) found.resize(mostSymbols);
    for (const Symbol& symbol : found) {
        if (session.interrupted()) break;
        call.out.write(addressText(session, symbol.address));
        if (sizes) call.out.print(" {:>8x} {}", symbol.size, symbol.function ? "func" : "data");
        call.out.print(" {}!{}\n", moduleText(session, symbol.module), printable(symbol.name));
    }
    if (cut) call.out.print("(more than {} match; the rest is left out)\n", mostSymbols);
    if (found.empty()) {
        return fail(Errc::not_found,
                    fmt::format("Couldn't resolve 'x {}': no symbol matches", printable(pattern)));
    }
    return {};
}

Result<void> nearestSymbols(CommandCall& call) {
    Session& session = call.session;
    std::uint64_t address = session.registers().pc();
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(address, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    const auto symbol = session.symbolizer().nearestSymbol(address);
    if (!symbol) {
        const Module* module = session.process().moduleAt(address);
        return fail(Errc::not_found,
                    module == nullptr
                        ? fmt::format("{} lies in no module", addressText(session, address))
                        : fmt::format("no symbol is known at {} ({})",
                                      addressText(session, address), symbolText(session, address)));
    }
    const Symbolization known = session.symbolizer().symbolize(address, false);
    if (!known.frames.empty() && known.frames.front().line != 0) {
        call.out.print("{}({})\n", printable(known.frames.front().file), known.frames.front().line);
    }
    std::string line = fmt::format("({})   {}", addressText(session, symbol->address),
                                   symbolText(session, address));
    // The one after it, when the symbol's size leads there.
    const std::uint64_t end = symbol->address + std::max<std::uint64_t>(symbol->size, 1);
    for (std::uint64_t at = end; at < end + 64; ++at) {
        const auto next = session.symbolizer().nearestSymbol(at);
        if (!next || next->address < end) continue;
        line += fmt::format("   |  ({})   {}!{}", addressText(session, next->address),
                            moduleText(session, next->module), printable(next->name));
        break;
    }
    call.out.write(line + "\n");
    if (symbol->address == address) {
        call.out.print("Exact matches:\n    {}!{}\n", moduleText(session, symbol->module),
                       printable(symbol->name));
    }
    return {};
}

}  // namespace icecore::debugger
