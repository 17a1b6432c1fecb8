#include "symbols/debuginfod.h"

#include <cstdlib>
#include <system_error>

#include "base/text.h"
#include "bytes/sink.h"
#include "symbols/http.h"

namespace icecore {

namespace {

namespace fs = std::filesystem;

fs::path defaultCache() {
    if (const char* own = std::getenv("DEBUGINFOD_CACHE_PATH"); own != nullptr && *own != '\0')
        return own;
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
        return fs::path(cache) / "debuginfod_client";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
        return fs::path(home) / ".cache" / "debuginfod_client";
    std::error_code error;
    return fs::temp_directory_path(error) / "debuginfod_client";
}

bool isFresh(const fs::path& path, std::chrono::seconds age) {
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    return !error && fs::file_time_type::clock::now() - written < age;
}

}  // namespace

std::string_view toString(DebuginfodKind kind) {
    return kind == DebuginfodKind::debuginfo ? "debuginfo" : "executable";
}

Result<fs::path> debuginfodFetch(std::string_view urls, std::span<const std::byte> id,
                                 DebuginfodKind kind, const DebuginfodOptions& options) {
    const std::string hexId = hexBytes(id);
    const std::string what = std::string(toString(kind)) + " of build-id " + hexId;
    if (id.empty()) return fail(Errc::usage, "there is no build-id to ask debuginfod for");
    const fs::path folder = (options.cache.empty() ? defaultCache() : options.cache) / hexId;
    fs::path path = folder / toString(kind);
    std::error_code error;
    if (const auto size = fs::file_size(path, error); !error) {
        if (size > 0) return path;
        if (isFresh(path, options.rememberMiss))
            return fail(Errc::not_found, what + " was not on any server a while ago",
                        path.string());
        fs::remove(path, error);
    }
    fs::create_directories(folder, error);
    if (error)
        return fail(Errc::io, "cannot create the cache: " + error.message(), folder.string());

    bool everyoneSaidNo = true;
    std::string reasons;
    for (const std::string_view url : splitBlanks(urls)) {
        std::string request(url);
        while (request.ends_with('/'))
            request.pop_back();
        request += "/buildid/" + hexId + "/" + std::string(toString(kind));
        ASSIGN_OR_RETURN(auto sink, createFileSink(path, {.overwrite = true, .expected = 0}));
        HttpOptions http;
        http.stallTimeout = options.timeout;
        http.progress = options.progress;
        const auto got = httpGet(request, *sink, http);
        if (got && sink->position() > 0) {
            TRY(sink->finish());
            return path;
        }
        if (!got && got.error().code == Errc::unsupported) return std::unexpected(got.error());
        if (!got && got.error().code != Errc::not_found) everyoneSaidNo = false;
        reasons += (reasons.empty() ? "" : "; ") +
                   (got ? request + ": empty answer" : got.error().describe());
    }
    if (reasons.empty()) return fail(Errc::usage, "no debuginfod server is named");
    if (!everyoneSaidNo) return fail(Errc::io, "debuginfod: " + what + ": " + reasons);
    // Remember the miss as elfutils does: an empty file.
    if (auto sink = createFileSink(path, {.overwrite = true, .expected = 0}))
        (void)(*sink)->finish();
    return fail(Errc::not_found, "debuginfod: " + what + ": " + reasons);
}

}  // namespace icecore
