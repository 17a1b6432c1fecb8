#include "app/hash_sidecars.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "app/hashing_sink.h"
#include "base/text.h"
#include "bytes/source.h"

namespace icecore::app {

namespace {

constexpr std::size_t pieceSize = std::size_t{1} << 20;

struct Sidecar {
    HashKind kind;
    std::size_t digits;
};
constexpr std::array sidecars = {Sidecar{HashKind::sha256, 64}, Sidecar{HashKind::sha512, 128},
                                 Sidecar{HashKind::sha1, 40}, Sidecar{HashKind::md5, 32}};

/// The first word of a file; nothing where there is no file.
std::optional<std::string> firstWord(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::array<char, 256> start{};
    file.read(start.data(), start.size());
    const std::string_view text(start.data(), static_cast<std::size_t>(file.gcount()));
    return toLower(text.substr(0, text.find_first_of(" \t\r\n*")));
}

Result<std::string> hashOf(const Source& content, HashKind kind, Progress& progress) {
    Hasher hasher(kind);
    std::vector<std::byte> piece(pieceSize);
    progress.begin("hashing", content.size());
    for (std::uint64_t at = 0; at < content.size();) {
        if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
        ASSIGN_OR_RETURN(const std::size_t got, content.read(at, piece));
        if (got == 0) return fail(Errc::truncated, "ends too early", content.where(at));
        hasher.update(std::span(piece).first(got));
        progress.advance(got);
        at += got;
    }
    return hexBytes(hasher.finish());
}

/// Of the content first: of a file that is not packed it is the file's.
Result<std::string> hashLike(const std::string& path, HashKind kind, const std::string& wanted,
                             Progress& progress) {
    ASSIGN_OR_RETURN(const auto content, openSource(path));
    ASSIGN_OR_RETURN(std::string value, hashOf(*content, kind, progress));
    if (value == wanted) return value;
    std::error_code ignored;
    const auto size = std::filesystem::file_size(path, ignored);
    if (ignored || size == content->size()) return value;
    ASSIGN_OR_RETURN(const auto packed,
                     hashFile(path, size, std::span(&kind, 1), HashingSink::mostBuffer));
    return packed.front().second;
}

}  // namespace

std::vector<FormatCheck> checkSidecars(const std::string& path, Progress& progress) {
    std::vector<FormatCheck> checks;
    for (const Sidecar& sidecar : sidecars) {
        const std::string name = "." + std::string(toString(sidecar.kind));
        const auto wanted = firstWord(path + name);
        if (!wanted) continue;
        const bool hash = wanted->size() == sidecar.digits &&
                          wanted->find_first_not_of("0123456789abcdef") == std::string::npos;
        if (!hash) {
            checks.push_back({name, "has no such hash", false});
            continue;
        }
        const auto value = hashLike(path, sidecar.kind, *wanted, progress);
        if (!value)
            checks.push_back({name, value.error().describe(), false});
        else if (*value == *wanted)
            checks.push_back({name, *value, true});
        else
            checks.push_back({name, fmt::format("is {}, should be {}", *value, *wanted), false});
    }
    return checks;
}

}  // namespace icecore::app
