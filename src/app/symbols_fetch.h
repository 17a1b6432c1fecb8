// `icecore symbols fetch`: missing files from symbol servers and debuginfod.
#pragma once

#include <string>
#include <vector>

#include "app/report.h"
#include "app/symbol_flags.h"
#include "app/symbol_subject.h"
#include "symbols/debuginfod.h"

namespace icecore::app {

/// `symbols fetch FILE…`
class FetchCommand {
public:
    void declare(CLI::App& command);
    [[nodiscard]] int run();

private:
    void fetchFor(const std::string& path);
    void fetchModules(const Process& process);
    void fetchElf(const Module& module, const ModuleSymbols& symbols);
    void fetchByBuildId(const std::string& name, const std::vector<std::byte>& id,
                        DebuginfodKind kind);
    void reportPe(const std::string& name, const std::string& id, const ModuleSymbols& symbols);

    std::vector<std::string> paths_;
    std::string server_;
    unsigned jobs_ = 8;
    bool json_ = false;
    int status_ = 0;
    Json results_ = Json::array();
    SymbolOptions options_;
    SymbolFlags flags_;
};

}  // namespace icecore::app
