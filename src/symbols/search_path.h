// The symbol path as people write it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace icecore {

/// The directories of a symbol path, in order: separated by ';' or, where no drive letter or URL
/// is meant, ':'. "cache*DIR" and the caches of "srv*…" are directories too; servers are not.
std::vector<std::string> symbolPathFolders(std::string_view path);

/// One element of a symbol path.
struct SymbolSite {
    enum class Kind : std::uint8_t {
        folder,  ///< "DIR": files lie in it
        cache,   ///< "cache*DIR": keeps what the elements behind it found
        stores,  ///< "srv*A*B*…": asked from the left; what is found is kept in those to its left
    };
    Kind kind = Kind::folder;
    /// Directories and URLs (http, https), in order; an empty one is the default store.
    std::vector<std::string> places;
    bool operator==(const SymbolSite&) const = default;
};

/// The syntax of WinDbg: elements separated by ';', each "DIR", "cache*DIR", "srv*…" or
/// "symsrv*symsrv.dll*…". Names of other server DLLs are passed over: they cannot be loaded.
std::vector<SymbolSite> parseSymbolPath(std::string_view path);

bool isSymbolUrl(std::string_view place);

/// Where "srv**URL", "srv*URL" and "cache*" keep files: $XDG_CACHE_HOME/icecore/symbols, else
/// ~/.cache/icecore/symbols.
std::filesystem::path defaultSymbolStore();

}  // namespace icecore
