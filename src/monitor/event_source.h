// Where events come from: one implementation per system, and a scripted one in tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "live/capture.h"
#include "monitor/watch_plan.h"

namespace icecore::monitor {

enum class HappeningKind : std::uint8_t {
    exit,
    exception,
    signal,
    output,
    moduleLoaded,
    moduleUnloaded,
    threadStarted,
    threadEnded,
};

/// One thing that has happened. Its thread stands still until the source is told to go on.
struct Happening {
    HappeningKind kind{};
    std::uint64_t thread = 0;
    int signal = 0;     ///< of signals, and of exceptions that are signals
    bool last = false;  ///< of exceptions: nobody handles it, it is about to end the process
    std::string code;   ///< short, for names of files: "SIGSEGV", "std::bad_alloc", "3"
    std::string text;   ///< for people and filters
};

class EventSource {
public:
    virtual ~EventSource() = default;
    /// What happens next within `time`, or nothing. Errc::target_gone: it has ended.
    virtual Result<std::optional<Happening>> next(std::chrono::milliseconds time) = 0;
    /// Lets the thread of the last happening go on.
    virtual void pass() = 0;
    /// As live::freeze, at the moment of the last happening. Its thread goes on when the result is
    /// released.
    virtual Result<std::unique_ptr<live::FrozenProcess>> freeze(const live::CaptureOptions& options,
                                                                Progress& progress) = 0;
};

/// Whether only an event source tells of this.
[[nodiscard]] bool isEvent(const Trigger& trigger);
/// Whether the plan names any such trigger.
[[nodiscard]] bool needsEvents(const WatchPlan& plan);

/// The system's source for a running process: nothing is seen but what the plan asks for.
Result<std::unique_ptr<EventSource>> openEventSource(std::uint64_t pid, const WatchPlan& plan);

/// Whether a trigger is about this happening (filters are not looked at).
[[nodiscard]] bool isAbout(const Trigger& trigger, const Happening& happening);

}  // namespace icecore::monitor
