#include "symbols/symbol_store.h"

#include <algorithm>
#include <system_error>

#include "base/text.h"
#include "bytes/sink.h"
#include "bytes/source.h"
#include "symbols/cab.h"

namespace icecore {

namespace fs = std::filesystem;

std::string compressedName(std::string_view file) {
    std::string name(file);
    if (!name.empty()) name.back() = '_';
    return name;
}

fs::path storePath(const SymbolRequest& request, bool twoTier) {
    const std::string& folder = request.folder.empty() ? request.file : request.folder;
    const fs::path below = fs::path(folder) / request.id / request.file;
    return twoTier ? fs::path(folder.substr(0, 2)) / below : below;
}

bool isTwoTier(const fs::path& store) {
    std::error_code error;
    return fs::exists(store / "index2.txt", error);
}

fs::path existingPath(const fs::path& folder, const fs::path& below) {
    std::error_code error;
    if (fs::exists(folder / below, error)) return folder / below;
    fs::path at = folder;
    for (const fs::path& part : below) {
        if (fs::exists(at / part, error)) {
            at /= part;
            continue;
        }
        fs::path same;
        for (fs::directory_iterator entry(at, error), end; !error && entry != end;
             entry.increment(error)) {
            if (equalsIgnoreCase(entry->path().filename().string(), part.string())) {
                same = entry->path();
                break;
            }
        }
        if (same.empty()) return {};
        at = same;
    }
    return at;
}

Result<std::string> readFilePointer(const fs::path& pointer) {
    ASSIGN_OR_RETURN(const auto source, openMappedFile(pointer));
    constexpr std::uint64_t longest = 4096;
    if (source->size() > longest)
        return fail(Errc::malformed, "is too long to be a pointer to a file", pointer.string());
    ASSIGN_OR_RETURN(const auto bytes, source->load(0, source->size()));
    std::string_view text = trim(bytes.text().substr(0, bytes.text().find('\0')));
    if (text.starts_with("MSG:"))
        return fail(Errc::not_found, "the store says: " + printable(trim(text.substr(4))),
                    pointer.string());
    if (text.starts_with("PATH:")) text = trim(text.substr(5));
    if (text.empty()) return fail(Errc::malformed, "points to nothing", pointer.string());
    return std::string(text);
}

Result<void> makeWritableFolder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error && !fs::is_directory(folder)) {
        // Which of the directories above it refuses?
        fs::path above = folder;
        std::error_code ignored;
        while (above.has_relative_path() && !fs::exists(above, ignored))
            above = above.parent_path();
        return fail(
            Errc::permission,
            "the symbol cache cannot be created: " + error.message() + " in " + above.string(),
            folder.string());
    }
    return {};
}

Result<fs::path> findInStore(const fs::path& store, const SymbolRequest& request,
                             const fs::path& unpackTo) {
    const fs::path below = storePath(request, isTwoTier(store));
    const fs::path folder = existingPath(store, below.parent_path());
    if (folder.empty()) return fail(Errc::not_found, "not there", (store / below).string());
    if (fs::path file = existingPath(folder, request.file); !file.empty()) {
        std::error_code error;
        if (fs::file_size(file, error) > 0) return file;
    }
    if (const fs::path packed = existingPath(folder, compressedName(request.file));
        !packed.empty()) {
        fs::path target = unpackTo.empty() ? folder / request.file : unpackTo;
        TRY(makeWritableFolder(target.parent_path()));
        TRY(unpackCabinet(packed, target));
        return target;
    }
    if (const fs::path pointer = existingPath(folder, "file.ptr"); !pointer.empty()) {
        ASSIGN_OR_RETURN(const std::string text, readFilePointer(pointer));
        std::error_code error;
        if (fs::exists(text, error)) return fs::path(text);
        // As Windows writes it, on a system with other separators.
        std::string other = text;
        std::ranges::replace(other, '\\', '/');
        if (fs::exists(other, error)) return fs::path(other);
        return fail(Errc::not_found, "points to " + printable(text) + ", which is not there",
                    pointer.string());
    }
    return fail(Errc::not_found, "not there", (store / below).string());
}

std::vector<fs::path> flatPlaces(const fs::path& folder, const SymbolRequest& request) {
    std::vector<fs::path> places;
    std::string extension = fs::path(request.image).extension().string();
    if (!extension.empty()) extension.erase(0, 1);
    std::vector<fs::path> folders = {"."};
    if (!extension.empty()) {
        folders.emplace_back(extension);
        folders.emplace_back(fs::path("symbols") / extension);
    }
    folders.emplace_back("symbols");
    for (const fs::path& below : folders) {
        fs::path found = existingPath(folder, (below / request.file).lexically_normal());
        // A store has a directory of that name.
        std::error_code error;
        if (!found.empty() && fs::is_regular_file(found, error)) places.push_back(std::move(found));
    }
    return places;
}

}  // namespace icecore
