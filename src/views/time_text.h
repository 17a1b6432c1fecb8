// Moments as people and programs read them.
#pragma once

#include <string>

#include "model/process.h"

namespace icecore {

/// "2026-11-24T10:18:05Z".
std::string isoTime(TimePoint time);
/// "2026-11-24 10:18:05 UTC".
std::string timeText(TimePoint time);

}  // namespace icecore
