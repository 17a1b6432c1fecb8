// Fetching from a symbol server over HTTP.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "symbols/symbol_locator.h"

namespace icecore {

/// Fetches the file, its compressed form or what its file.ptr names from the server into the
/// store, where it appears whole or not at all. A transfer that breaks off is tried again from
/// where it stood. `not_found` when the server does not have it, which is remembered in the store;
/// `permission` when the store cannot be written.
Result<std::filesystem::path> fetchFromServer(const std::string& server,
                                              const SymbolRequest& request,
                                              const std::filesystem::path& store,
                                              const LocatorOptions& options);

}  // namespace icecore
