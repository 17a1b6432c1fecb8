#include "symbols/symbol_server.h"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <mutex>

#include "base/text.h"
#include "bytes/sink.h"
#include "bytes/source.h"
#include "symbols/cab.h"
#include "symbols/http.h"

namespace icecore {

namespace {

namespace fs = std::filesystem;

/// Names come from dumps and may hold anything.
std::string urlPart(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '~' ||
                           c == '/';
        if (plain)
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

/// A list of servers that did not have the file a while ago, beside where it would be.
class MissMemory {
public:
    MissMemory(const fs::path& folder, std::chrono::seconds keep)
        : path_(folder / "icecore.404"), keep_(keep) {}

    [[nodiscard]] bool knows(const std::string& url) const {
        std::error_code error;
        const auto written = fs::last_write_time(path_, error);
        if (error || fs::file_time_type::clock::now() - written >= keep_) return false;
        std::ifstream file(path_);
        for (std::string line; std::getline(file, line);) {
            if (line == url) return true;
        }
        return false;
    }
    void add(const std::string& url) const {
        std::error_code error;
        std::string lines;
        if (const auto written = fs::last_write_time(path_, error);
            !error && fs::file_time_type::clock::now() - written < keep_) {
            std::ifstream file(path_);
            lines.assign(std::istreambuf_iterator<char>(file), {});
        }
        lines += url + "\n";
        if (auto sink = createFileSink(path_, {.overwrite = true, .expected = 0})) {
            if ((*sink)->write(std::as_bytes(std::span(lines)))) (void)(*sink)->finish();
        }
    }

private:
    fs::path path_;
    std::chrono::seconds keep_;
};

/// Whether the server's store has two tiers; asked once per process.
bool serverIsTwoTier(const std::string& url, const HttpOptions& http) {
    static std::mutex mutex;
    static std::map<std::string, bool> known;
    {
        const std::scoped_lock lock(mutex);
        if (const auto found = known.find(url); found != known.end()) return found->second;
    }
    MemorySink sink;
    const auto got = httpGet(url + "/index2.txt", sink, http);
    const bool twoTier = got.has_value();
    // A server that does not answer today is asked again.
    if (got || got.error().code == Errc::not_found) {
        const std::scoped_lock lock(mutex);
        known.emplace(url, twoTier);
    }
    return twoTier;
}

Result<void> getFile(const std::string& url, const fs::path& target, const HttpOptions& http) {
    ASSIGN_OR_RETURN(auto sink, createFileSink(target, {.overwrite = true, .expected = 0}));
    TRY(httpGet(url, *sink, http));
    if (sink->position() == 0) return fail(Errc::not_found, "the answer is empty", url);
    return sink->finish();
}

}  // namespace

Result<fs::path> fetchFromServer(const std::string& server, const SymbolRequest& request,
                                 const fs::path& store, const LocatorOptions& options) {
    std::string url = server;
    while (url.ends_with('/'))
        url.pop_back();
    fs::path target = store / storePath(request, isTwoTier(store));
    const fs::path folder = target.parent_path();
    const MissMemory misses(folder, options.rememberMiss);
    if (misses.knows(url))
        return fail(Errc::not_found, "was not on the server a while ago",
                    url + "/" + storePath(request, false).generic_string());

    TRY(makeWritableFolder(folder));
    HttpOptions http;
    http.connectTimeout = options.connectTimeout;
    http.stallTimeout = options.stallTimeout;
    http.attempts = options.attempts;
    http.progress = options.progress;
    const bool twoTier = serverIsTwoTier(url, http);
    const std::string base =
        url + "/" + urlPart(storePath(request, twoTier).parent_path().generic_string()) + "/";

    const auto plain = getFile(base + urlPart(request.file), target, http);
    if (plain) return target;
    if (plain.error().code != Errc::not_found) return std::unexpected(plain.error());

    const std::string packedName = compressedName(request.file);
    const fs::path packed = folder / packedName;
    const auto compressed = getFile(base + urlPart(packedName), packed, http);
    if (compressed) {
        const auto unpacked = unpackCabinet(packed, target);
        std::error_code error;
        fs::remove(packed, error);
        TRY(unpacked);
        return target;
    }
    if (compressed.error().code != Errc::not_found) return std::unexpected(compressed.error());

    MemorySink pointer;
    const auto pointed = httpGet(base + "file.ptr", pointer, http);
    if (pointed) {
        const std::string_view text = trim(std::string_view(
            reinterpret_cast<const char*>(pointer.bytes().data()), pointer.bytes().size()));
        const std::string_view place = text.starts_with("PATH:") ? trim(text.substr(5)) : text;
        if (isSymbolUrl(place)) {
            TRY(getFile(std::string(place), target, http));
            return target;
        }
        std::error_code error;
        if (!text.starts_with("MSG:") && fs::exists(fs::path(place), error)) return fs::path(place);
        misses.add(url);
        return fail(Errc::not_found, "the server's file.ptr says " + printable(text),
                    base + "file.ptr");
    }
    if (pointed.error().code != Errc::not_found) return std::unexpected(pointed.error());
    misses.add(url);
    return fail(Errc::not_found, "is not on the server", base + request.file);
}

}  // namespace icecore
