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
    /// Begins under the file's name with the answer's length once that has begun to arrive,
    /// advances by bytes, ends when the transfer does; several transfers may share one, whose
    /// begins then come before the others' ends. Ends the transfer when cancelled.
    Progress* progress = nullptr;
};

/// GETs `url` (http or https only, redirects followed) into `sink`; the caller finishes the sink.
/// `not_found` for status 404 (and 410), `cancelled`, `io` for anything else that goes wrong.
/// libcurl is loaded at the first call; `unsupported` where it is not installed.
Result<void> httpGet(const std::string& url, Sink& sink, const HttpOptions& options);

}  // namespace icecore
