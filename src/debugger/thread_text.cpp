#include "debugger/thread_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

std::string threadLine(const Session& session, std::size_t index, std::size_t current) {
    const Thread& thread = session.process().threads[index];
    const char mark = index == current ? '.' : session.eventThread() == index ? '#' : ' ';
    std::string text =
        fmt::format("{} {:>2}  Id: {:x}.{:x} Suspend: {} Teb: {} Unfrozen", mark, index,
                    session.process().pid, thread.id, thread.suspendCount,
                    thread.tls ? addressText(session, *thread.tls) : unknownAddressText(session));
    if (!thread.name.empty()) text += fmt::format(" \"{}\"", printable(thread.name));
    return text + "\n";
}

std::string daysText(std::chrono::nanoseconds time) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    const auto seconds = milliseconds / 1000;
    return fmt::format("{} days {}:{:02}:{:02}.{:03}", seconds / 86400, seconds / 3600 % 24,
                       seconds / 60 % 60, seconds % 60, milliseconds % 1000);
}

std::string timeText(TimePoint time) {
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(time);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
    const auto system = std::chrono::time_point_cast<std::chrono::system_clock::duration>(seconds);
    const auto parts = fmt::gmtime(std::chrono::system_clock::to_time_t(system));
    return fmt::format("{:%a %b %e %H:%M:%S}.{:03} {:%Y} (UTC + 0:00)", parts,
                       (millis - seconds).count(), parts);
}

}  // namespace icecore::debugger
