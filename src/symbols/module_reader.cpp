#include "symbols/module_reader.h"

#include "symbols/module_symbolizer.h"
#include "symbols/pe_files.h"
#include "symbols/pe_symbols.h"

namespace icecore {

bool isPeModule(const Process& process, const Module& module) {
    switch (module.id.kind) {
    case ModuleId::Kind::pdb: return true;
    case ModuleId::Kind::build_id: return false;
    // Without symbols of its own: an ELF file has no time stamp.
    case ModuleId::Kind::none: break;
    }
    return process.system.os == Os::windows || module.timestamp != 0;
}

std::unique_ptr<ModuleReader> openModuleReader(const Process& process, const Module& module,
                                               const SymbolOptions& options) {
    if (isPeModule(process, module))
        return std::make_unique<PeSymbols>(findPeFiles(process, module, options));
    return std::make_unique<ModuleSymbolizer>(findModuleFiles(process, module, options));
}

}  // namespace icecore
