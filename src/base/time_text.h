// Moments as people and programs read them.
#pragma once

#include <chrono>
#include <string>

namespace icecore {

/// "2026-11-24T10:18:05Z".
std::string isoTime(std::chrono::sys_time<std::chrono::nanoseconds> time);
/// "2026-11-24 10:18:05 UTC".
std::string timeText(std::chrono::sys_time<std::chrono::nanoseconds> time);

}  // namespace icecore
