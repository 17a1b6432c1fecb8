// Fetching debugging information by build-id from debuginfod servers.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/progress.h"

namespace icecore {

enum class DebuginfodKind : std::uint8_t { debuginfo, executable };
/// "debuginfo", "executable": the last part of the request's path.
std::string_view toString(DebuginfodKind kind);

struct DebuginfodOptions {
    std::filesystem::path cache;       ///< empty: $XDG_CACHE_HOME/debuginfod_client or ~/.cache/…
    std::chrono::seconds timeout{90};  ///< without any progress
    std::chrono::seconds rememberMiss{600};  ///< how long a 404 is not asked for again
    Progress* progress = nullptr;            ///< of each transfer, as HttpOptions has it
};

/// The path of the file in the cache, fetched from the first of `urls` (blank-separated) that has
/// it: GET URL/buildid/HEX/KIND. The cache has the layout of elfutils' own client and is shared
/// with it; files appear there atomically; an empty file remembers that no server has it.
/// `not_found` when none has it; `io` when none could be asked. The network is touched only here.
Result<std::filesystem::path> debuginfodFetch(std::string_view urls, std::span<const std::byte> id,
                                              DebuginfodKind kind,
                                              const DebuginfodOptions& options);

}  // namespace icecore
