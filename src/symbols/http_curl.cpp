#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

#include "symbols/dynamic_library.h"
#include "symbols/http.h"

namespace icecore {

namespace {

struct Curl {
    std::unique_ptr<DynamicLibrary> library;
    decltype(&curl_easy_init) init = nullptr;
    decltype(&curl_easy_setopt) setopt = nullptr;
    decltype(&curl_easy_perform) perform = nullptr;
    decltype(&curl_easy_getinfo) getinfo = nullptr;
    decltype(&curl_easy_cleanup) cleanup = nullptr;
    decltype(&curl_easy_strerror) text = nullptr;
};

Result<Curl> loadCurl() {
    constexpr std::array<std::string_view, 3> names = {"libcurl.so.4", "libcurl-gnutls.so.4",
                                                       "libcurl.so"};
    auto library = DynamicLibrary::open(names);
    if (!library) return failBecause(library.error(), "fetching needs libcurl: install libcurl4");
    Curl curl;
    curl.library = std::move(*library);
    const auto bind = [&](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            curl.library->symbol(name));
        return function != nullptr;
    };
    decltype(&curl_global_init) globalInit = nullptr;
    const bool whole =
        bind(curl.init, "curl_easy_init") && bind(curl.setopt, "curl_easy_setopt") &&
        bind(curl.perform, "curl_easy_perform") && bind(curl.getinfo, "curl_easy_getinfo") &&
        bind(curl.cleanup, "curl_easy_cleanup") && bind(curl.text, "curl_easy_strerror") &&
        bind(globalInit, "curl_global_init");
    if (!whole || globalInit(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fail(Errc::unsupported, "this libcurl cannot be used");
    return curl;
}

/// One file, over as many attempts as it takes.
struct Transfer {
    Sink* sink;
    std::optional<Error> error;  ///< of the sink, or because the user asked to stop
    const HttpOptions* options;
    const Curl* curl;
    CURL* handle = nullptr;
    std::uint64_t skip = 0;  ///< bytes that came already, of an answer that begins anew
    bool begun = false;      ///< this attempt's first bytes have arrived
    bool told = false;       ///< the progress has begun
    std::string_view name;   ///< of the file, for the progress
    std::uint64_t received = 0;
};

/// The last part of a URL's path.
std::string_view fileName(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    return url.substr(url.find_last_of('/') + 1);
}

bool isCancelled(const HttpOptions& options) {
    return options.progress != nullptr && options.progress->cancelled();
}

/// Once, whatever number of attempts it takes.
void tellBegin(Transfer& transfer) {
    if (transfer.options->progress == nullptr || transfer.told) return;
    transfer.told = true;
    curl_off_t length = -1;
    transfer.curl->getinfo(transfer.handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    transfer.options->progress->begin(transfer.name,
                                      length > 0 ? static_cast<std::uint64_t>(length) : 0);
}

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (!transfer.begun) {
        transfer.begun = true;
        long status = 0;
        transfer.curl->getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
        constexpr long partialContent = 206;
        transfer.skip = status == partialContent ? 0 : transfer.received;
        tellBegin(transfer);
    }
    auto bytes = std::as_bytes(std::span(data, size * count));
    const std::size_t passed =
        static_cast<std::size_t>(std::min<std::uint64_t>(transfer.skip, bytes.size()));
    transfer.skip -= passed;
    bytes = bytes.subspan(passed);
    if (bytes.empty()) return size * count;
    if (const auto written = transfer.sink->write(bytes); !written) {
        transfer.error = written.error();
        return 0;
    }
    transfer.received += bytes.size();
    if (transfer.options->progress != nullptr) transfer.options->progress->advance(bytes.size());
    return size * count;
}

/// Called all the time, also while nothing arrives.
int watch(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& transfer = *static_cast<const Transfer*>(user);
    return isCancelled(*transfer.options) ? 1 : 0;
}

struct Attempt {
    CURLcode code = CURLE_OK;
    long status = 0;
};

Attempt tryOnce(const Curl& curl, const std::string& url, Transfer& transfer) {
    const HttpOptions& options = *transfer.options;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl.init(), curl.cleanup);
    if (!handle) return {CURLE_FAILED_INIT, 0};
    const auto set = [&](CURLoption option, auto value) {
        curl.setopt(handle.get(), option, value);
    };
    transfer.handle = handle.get();
    transfer.begun = false;
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 8L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_USERAGENT, "icecore");
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connectTimeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stallTimeout.count()));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &watch);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
    set(CURLOPT_WRITEFUNCTION, &receive);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    // Servers of a house's own, as curl and OpenSSL are told about them.
    for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
        const char* bundle = std::getenv(name);
        if (bundle == nullptr || *bundle == '\0') continue;
        set(CURLOPT_CAINFO, bundle);
        break;
    }
    const std::string range = std::to_string(transfer.received) + "-";
    if (transfer.received > 0) set(CURLOPT_RANGE, range.c_str());
    Attempt attempt;
    attempt.code = curl.perform(handle.get());
    curl.getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &attempt.status);
    return attempt;
}

/// Whether the same request may do better in a moment.
bool mayImprove(const Attempt& attempt) {
    switch (attempt.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    case CURLE_HTTP_RETURNED_ERROR: return attempt.status >= 500 || attempt.status == 429;
    default: return false;
    }
}

/// Sleeps, and wakes early when the user waits no longer.
void pauseFor(std::chrono::milliseconds time, const HttpOptions& options) {
    constexpr std::chrono::milliseconds step{20};
    for (auto left = time; left.count() > 0 && !isCancelled(options); left -= step)
        std::this_thread::sleep_for(std::min(left, step));
}

}  // namespace

Result<void> httpGet(const std::string& url, Sink& sink, const HttpOptions& options) {
    static const Result<Curl> loaded = loadCurl();
    if (!loaded) return std::unexpected(loaded.error());
    const Curl& curl = *loaded;
    Transfer transfer{};
    transfer.sink = &sink;
    transfer.options = &options;
    transfer.curl = &curl;
    transfer.name = fileName(url);
    Attempt attempt;
    std::chrono::milliseconds pause = options.pause;
    int begun = 0;
    for (;;) {
        attempt = tryOnce(curl, url, transfer);
        ++begun;
        if (attempt.code == CURLE_OK || transfer.error || isCancelled(options)) break;
        if (begun >= options.attempts || !mayImprove(attempt)) break;
        pauseFor(pause, options);
        pause *= 2;
    }
    if (transfer.told) options.progress->end();
    if (transfer.error) return std::unexpected(*transfer.error);
    if (isCancelled(options)) return fail(Errc::cancelled, "the transfer was broken off", url);
    if (attempt.code == CURLE_OK) return {};
    if (attempt.status == 404 || attempt.status == 410)
        return fail(Errc::not_found, "not there", url);
    std::string message = curl.text(attempt.code);
    if (attempt.status >= 400) message = "the server answered " + std::to_string(attempt.status);
    if (begun > 1) message += ", " + std::to_string(begun) + " times over";
    return fail(Errc::io, std::move(message), url);
}

}  // namespace icecore
