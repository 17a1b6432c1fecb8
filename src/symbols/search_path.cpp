#include "symbols/search_path.h"

#include "base/text.h"

namespace icecore {

namespace {

bool isUrl(std::string_view text) {
    return text.find("://") != std::string_view::npos;
}

void addFolder(std::vector<std::string>& folders, std::string_view text) {
    text = trim(text);
    if (!text.empty() && !isUrl(text)) folders.emplace_back(text);
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

std::vector<std::string> symbolPathFolders(std::string_view path) {
    std::vector<std::string> folders;
    for (const std::string_view entry : splitEntries(path)) {
        const auto parts = split(entry, '*');
        if (parts.size() == 1) {
            addFolder(folders, entry);
            continue;
        }
        const std::string kind = toLower(trim(parts[0]));
        // "symsrv*DLL*CACHE*URL", "srv*CACHE*URL", "cache*DIR"
        const std::size_t first = kind == "symsrv" ? 2 : 1;
        if (kind != "symsrv" && kind != "srv" && kind != "cache") continue;
        for (std::size_t i = first; i < parts.size(); ++i)
            addFolder(folders, parts[i]);
    }
    return folders;
}

}  // namespace icecore
