// Looking for a symbol file along a symbol path, as symsrv and dbghelp do.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "symbols/search_path.h"
#include "symbols/symbol_store.h"

namespace icecore {

struct LocatorOptions {
    std::chrono::seconds connectTimeout{15};
    std::chrono::seconds stallTimeout{60};   ///< without a byte arriving
    int attempts = 3;                        ///< of a transfer that breaks off; it is resumed
    std::chrono::seconds rememberMiss{600};  ///< how long a server's 404 is not asked for again
    /// Of each transfer, as httpGet reports it, by the searching thread. Must outlive every use.
    Progress* progress = nullptr;
};

/// Thread-safe: several files may be looked for at the same time, and by several processes that
/// share their stores. The network is used only where the path names a server.
class SymbolLocator {
public:
    explicit SymbolLocator(std::string_view path, LocatorOptions options = {});

    /// Whether a file is the one: called for each that is found; true ends the search.
    using Accept = std::function<bool(const std::filesystem::path&)>;
    /// Sentences about what was tried and why it was of no use.
    using Say = std::function<void(std::string)>;
    /// Element by element, each from the left. What was accepted is copied to the stores to the
    /// left of where it was found. False when nothing was accepted.
    bool search(const SymbolRequest& request, const Accept& accept, const Say& say) const;

    [[nodiscard]] const std::vector<SymbolSite>& sites() const { return sites_; }

private:
    struct Search;
    std::vector<SymbolSite> sites_;
    LocatorOptions options_;
};

}  // namespace icecore
