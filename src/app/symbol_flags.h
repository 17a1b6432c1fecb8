// The options that all verbs which name addresses share: where symbols come from.
#pragma once

#include <string>

#include "symbols/symbolizer.h"

namespace CLI {
class App;
}

namespace icecore::app {

/// `--symbols PATH` and `--sysroot DIRECTORY`; without the former _NT_SYMBOL_PATH counts. Servers
/// are asked only when the environment names them (DEBUGINFOD_URLS).
class SymbolFlags {
public:
    void declare(CLI::App& command);
    [[nodiscard]] SymbolOptions options() const;

private:
    std::string path_;
    std::string root_;
};

}  // namespace icecore::app
