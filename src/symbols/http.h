// Fetching a file over HTTP, with libcurl.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"
#include "bytes/sink.h"

namespace icecore {

struct HttpOptions {
    std::chrono::seconds connectTimeout{15};
    std::chrono::seconds stallTimeout{90};  ///< without a byte arriving
};

/// GETs `url` (http or https only, redirects followed) into `sink`; the caller finishes the sink.
/// `not_found` for status 404, `io` for anything else that goes wrong. libcurl is loaded at the
/// first call; `unsupported` where it is not installed.
Result<void> httpGet(const std::string& url, Sink& sink, const HttpOptions& options);

}  // namespace icecore
