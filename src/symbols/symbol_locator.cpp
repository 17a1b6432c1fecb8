#include "symbols/symbol_locator.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/sink.h"
#include "bytes/source.h"
#include "symbols/symbol_server.h"

namespace icecore {

namespace fs = std::filesystem;

SymbolLocator::SymbolLocator(std::string_view path, LocatorOptions options)
    : sites_(parseSymbolPath(path)), options_(options) {}

namespace {

fs::path localStore(const std::string& place) {
    return place.empty() ? defaultSymbolStore() : fs::path(place);
}

/// Into a store, under the name that it is looked for by there.
Result<fs::path> copyToStore(const fs::path& file, const fs::path& store,
                             const SymbolRequest& request) {
    fs::path target = store / storePath(request, isTwoTier(store));
    std::error_code error;
    if (fs::equivalent(file, target, error)) return target;
    TRY(makeWritableFolder(target.parent_path()));
    ASSIGN_OR_RETURN(const auto source, openMappedFile(file));
    ASSIGN_OR_RETURN(auto sink,
                     createFileSink(target, {.overwrite = true, .expected = source->size()}));
    TRY(sink->write(source->mapped()));
    TRY(sink->finish());
    return target;
}

}  // namespace

/// One search.
struct SymbolLocator::Search {
    const SymbolRequest& request;
    const LocatorOptions& options;
    const Accept& accept;
    const Say& say;
    std::vector<fs::path> caches;  ///< of "cache*" elements passed so far

    /// Keeps an accepted file in the stores to its left.
    void keep(const fs::path& file, const std::vector<fs::path>& stores) const {
        for (const fs::path& store : stores) {
            const auto kept = copyToStore(file, store, request);
            if (!kept) say(kept.error().describe());
        }
    }

    bool inFolder(const fs::path& folder) const {
        for (const fs::path& place : flatPlaces(folder, request)) {
            if (!accept(place)) continue;
            keep(place, caches);
            return true;
        }
        // A folder that is laid out like a store is one.
        return inStore(folder, caches, false);
    }

    bool inStore(const fs::path& store, const std::vector<fs::path>& left, bool loud) const {
        const fs::path unpackTo =
            left.empty() ? fs::path() : left.back() / storePath(request, isTwoTier(left.back()));
        const auto found = findInStore(store, request, unpackTo);
        if (!found) {
            if (loud || found.error().code != Errc::not_found ||
                found.error().message != "not there")
                say(found.error().describe());
            return false;
        }
        if (!accept(*found)) return false;
        keep(*found, left);
        return true;
    }

    bool onServer(const std::string& url, std::vector<fs::path> left) const {
        if (left.empty()) left = caches;
        if (left.empty()) left.push_back(defaultSymbolStore());
        const auto fetched = fetchFromServer(url, request, left.back(), options);
        if (!fetched) {
            say(fetched.error().describe());
            return false;
        }
        if (!accept(*fetched)) return false;
        left.pop_back();
        keep(*fetched, left);
        return true;
    }

    bool inSite(const SymbolSite& site) {
        switch (site.kind) {
        case SymbolSite::Kind::folder: return inFolder(site.places.front());
        case SymbolSite::Kind::cache: {
            const fs::path cache = localStore(site.places.front());
            if (inStore(cache, caches, true)) return true;
            caches.push_back(cache);
            return false;
        }
        case SymbolSite::Kind::stores: break;
        }
        std::vector<fs::path> left = caches;
        for (const std::string& place : site.places) {
            if (isSymbolUrl(place)) {
                if (onServer(place, left)) return true;
                continue;
            }
            const fs::path store = localStore(place);
            if (inStore(store, left, true)) return true;
            left.push_back(store);
        }
        return false;
    }
};

bool SymbolLocator::search(const SymbolRequest& request, const Accept& accept,
                           const Say& say) const {
    // Names come from dumps: none of them may lead out of a store.
    const auto isPlain = [](std::string_view name) {
        return name != "." && name != ".." &&
               name.find_first_of(std::string_view("/\\:\0", 4)) == std::string_view::npos;
    };
    if (request.file.empty() || request.id.empty()) return false;
    if (!isPlain(request.file) || !isPlain(request.id) || !isPlain(request.folder)) {
        say(printable(request.file) + " is no name that a symbol file can have");
        return false;
    }
    Search search{request, options_, accept, say, {}};
    return std::ranges::any_of(sites_, [&](const SymbolSite& site) { return search.inSite(site); });
}

}  // namespace icecore
