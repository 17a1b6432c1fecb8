// Sizes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace icecore::app {

/// "500M", "4G", "1048576": KiB, MiB, GiB, TiB by their letters.
std::optional<std::uint64_t> parseSize(std::string_view text);

}  // namespace icecore::app
