#include "app/symbol_flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace icecore::app {

void SymbolFlags::declare(CLI::App& command) {
    command.add_option("--symbols", path_,
                       "directories with symbol files, separated by ';', and for Windows' modules "
                       "stores and servers: srv*CACHE*URL, cache*DIR (default: _NT_SYMBOL_PATH)");
    command.add_option("--sysroot", root_, "directory under which the dump's paths are looked up");
}

SymbolOptions SymbolFlags::options() const {
    SymbolOptions options;
    options.path = path_;
    options.root = root_;
    if (const char* path = std::getenv("_NT_SYMBOL_PATH"); path != nullptr && path_.empty())
        options.path = path;
    if (const char* servers = std::getenv("DEBUGINFOD_URLS")) options.debuginfodUrls = servers;
    return options;
}

}  // namespace icecore::app
