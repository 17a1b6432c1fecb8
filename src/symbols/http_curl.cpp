#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>

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

struct Transfer {
    Sink* sink;
    std::optional<Error> error;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const auto written = transfer.sink->write(std::as_bytes(std::span(data, size * count)));
    if (written) return size * count;
    transfer.error = written.error();
    return 0;
}

}  // namespace

Result<void> httpGet(const std::string& url, Sink& sink, const HttpOptions& options) {
    static const Result<Curl> loaded = loadCurl();
    if (!loaded) return std::unexpected(loaded.error());
    const Curl& curl = *loaded;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl.init(), curl.cleanup);
    if (!handle) return fail(Errc::io, "libcurl does not start");
    Transfer transfer{&sink, std::nullopt};
    const auto set = [&](CURLoption option, auto value) {
        curl.setopt(handle.get(), option, value);
    };
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
    set(CURLOPT_WRITEFUNCTION, &receive);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    const CURLcode code = curl.perform(handle.get());
    if (transfer.error) return std::unexpected(*transfer.error);
    if (code == CURLE_OK) return {};
    long status = 0;
    curl.getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 404) return fail(Errc::not_found, "not there", url);
    std::string message = curl.text(code);
    if (status >= 400) message = "the server answered " + std::to_string(status);
    return fail(Errc::io, std::move(message), url);
}

}  // namespace icecore
