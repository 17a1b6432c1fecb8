// A thread's line in lists.
#pragma once

#include <string>

#include "debugger/session.h"

namespace icecore::debugger {

/// ".  0  Id: 1a2b.1a2c Suspend: 0 Teb: 00007f… Unfrozen "name"", with line end. `current` gets
/// the dot, the thread of the exception a '#'. Numbers after "Id:" are hex, as everywhere.
std::string threadLine(const Session& session, std::size_t index, std::size_t current);
/// "0 days 0:00:01.234".
std::string daysText(std::chrono::nanoseconds time);
/// "Tue Nov 24 10:00:00.000 2026 (UTC + 0:00)".
std::string timeText(TimePoint time);

}  // namespace icecore::debugger
