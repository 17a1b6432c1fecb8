// The state of a module's symbols, as `lm` and `!sym noisy` show it.
#pragma once

#include <string>

#include "debugger/session.h"

namespace icecore::debugger {

/// "(deferred)", "(dwarf symbols)          /usr/lib/debug/…", "(no symbols)". Looks for nothing.
std::string symbolStateText(const Session& session, const Module& module);
/// What `!sym noisy` tells about a module: every file tried and what came of it.
std::string symbolSearchText(const Session& session, const Module& module,
                             const ModuleSymbols& symbols);

/// What `lm v` tells of a module beyond its first line (module_details.cpp). Looks for its files.
std::string moduleDetailsText(const Session& session, const Module& module);

}  // namespace icecore::debugger
