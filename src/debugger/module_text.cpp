#include "debugger/module_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace icecore::debugger {

namespace {

std::string stateWord(const ModuleSymbols& symbols) {
    switch (symbols.kind) {
    case SymbolKind::none: return "(no symbols)";
    case SymbolKind::mismatch: return "(mismatched file, not used)";
    case SymbolKind::exported: return "(export symbols)";
    default: break;
    }
    return fmt::format("({} symbols)", toString(symbols.kind));
}

}  // namespace

std::string symbolStateText(const Session& session, const Module& module) {
    const ModuleSymbols* symbols = session.symbolizer().loadedModule(module);
    if (symbols == nullptr) return "(deferred)";
    std::string text = stateWord(*symbols);
    if (symbols->forced) text += " FORCED: the file does not match";
    const std::string& file = symbols->debugPath.empty() ? symbols->imagePath : symbols->debugPath;
    if (!file.empty()) text = fmt::format("{:<24} {}", text, printable(file));
    return text;
}

std::string symbolSearchText(const Session& session, const Module& module,
                             const ModuleSymbols& symbols) {
    const std::string& name = session.moduleNames().name(module);
    std::string text;
    for (const std::string& sentence : symbols.tried)
        text += fmt::format("SYMBOLS:  {}: {}\n", name, printable(sentence));
    return text + fmt::format("SYMBOLS:  {}: {}\n", name, symbolStateText(session, module));
}

}  // namespace icecore::debugger
