// Which frames are not to blame.
#pragma once

#include <optional>
#include <string_view>

#include "analysis/analysis.h"

namespace icecore {

/// Why this frame is not held responsible, or nothing when it may be.
std::optional<std::string_view> whyNotResponsible(const NamedFrame& frame);

}  // namespace icecore
