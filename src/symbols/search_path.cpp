#include "symbols/search_path.h"

#include <cstdlib>

#include "base/text.h"

namespace icecore {

namespace {

bool isUrl(std::string_view text) {
    return text.find("://") != std::string_view::npos;
}

/// A ':' in "C:\symbols" and in "http://…" separates nothing.
std::vector<std::string_view> splitEntries(std::string_view path) {
    std::vector<std::string_view> entries;
    for (const std::string_view part : split(path, ';')) {
        if (isUrl(part) || part.find('*') != std::string_view::npos ||
            part.find('\\') != std::string_view::npos) {
            entries.push_back(part);
            continue;
        }
        for (const std::string_view entry : split(part, ':'))
            entries.push_back(entry);
    }
    return entries;
}

}  // namespace

bool isSymbolUrl(std::string_view place) {
    const std::string lower = toLower(place.substr(0, 8));
    return lower.starts_with("http://") || lower.starts_with("https://");
}

std::vector<SymbolSite> parseSymbolPath(std::string_view path) {
    std::vector<SymbolSite> sites;
    for (const std::string_view whole : splitEntries(path)) {
        const std::string_view entry = trim(whole);
        if (entry.empty()) continue;
        const auto parts = split(entry, '*');
        if (parts.size() == 1) {
            // A bare URL is what a person means by a server.
            const auto kind =
                isSymbolUrl(entry) ? SymbolSite::Kind::stores : SymbolSite::Kind::folder;
            if (!isUrl(entry) || isSymbolUrl(entry)) sites.push_back({kind, {std::string(entry)}});
            continue;
        }
        const std::string word = toLower(trim(parts[0]));
        SymbolSite site;
        std::size_t first = 1;
        if (word == "cache") {
            site.kind = SymbolSite::Kind::cache;
        } else if (word == "srv") {
            site.kind = SymbolSite::Kind::stores;
        } else if (word == "symsrv" && parts.size() > 2 &&
                   equalsIgnoreCase(trim(parts[1]), "symsrv.dll")) {
            site.kind = SymbolSite::Kind::stores;
            first = 2;
        } else {
            continue;
        }
        for (std::size_t i = first; i < parts.size(); ++i)
            site.places.emplace_back(trim(parts[i]));
        if (site.kind == SymbolSite::Kind::cache) site.places.resize(1);
        sites.push_back(std::move(site));
    }
    return sites;
}

std::vector<std::string> symbolPathFolders(std::string_view path) {
    std::vector<std::string> folders;
    for (const SymbolSite& site : parseSymbolPath(path)) {
        for (const std::string& place : site.places) {
            if (!place.empty() && !isUrl(place)) folders.push_back(place);
        }
    }
    return folders;
}

std::filesystem::path defaultSymbolStore() {
    namespace fs = std::filesystem;
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
        return fs::path(cache) / "icecore" / "symbols";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
        return fs::path(home) / ".cache" / "icecore" / "symbols";
    std::error_code error;
    return fs::temp_directory_path(error) / "icecore" / "symbols";
}

}  // namespace icecore
