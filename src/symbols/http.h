// Fetching a file over HTTP, with libcurl.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "bytes/sink.h"

namespace icecore {

struct HttpOptions {
    std::chrono::seconds connectTimeout{15};
    std::chrono::seconds stallTimeout{90};  ///< without a byte arriving
    /// How often a transfer is begun that breaks off or that the server cannot serve now. It goes
    /// on where it stood where the server allows that; otherwise what came already is passed over.
    int attempts = 1;
    std::chrono::milliseconds pause{200};  ///< before the second attempt; doubled for each further
    Progress* progress = nullptr;          ///< advances by bytes; ends the transfer when cancelled
};

/// GETs `url` (http or https only, redirects followed) into `sink`; the caller finishes the sink.
/// `not_found` for status 404 (and 410), `cancelled`, `io` for anything else that goes wrong.
/// libcurl is loaded at the first call; `unsupported` where it is not installed.
Result<void> httpGet(const std::string& url, Sink& sink, const HttpOptions& options);

}  // namespace icecore
