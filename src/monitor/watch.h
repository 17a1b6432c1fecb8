// Watching a process and taking dumps when it does what the plan names.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "live/capture.h"
#include "monitor/watch_plan.h"

namespace icecore::monitor {

/// Why a dump is due.
struct DumpReason {
    std::uint64_t pid = 0;
    std::size_t trigger = 0;  ///< index into WatchPlan::triggers; its size when there are none
    std::string_view kind = "manual";
    std::string text;  ///< for people: "commit 1034 MiB is above 1000 MiB"
    std::string code;  ///< of an event, short: "SIGSEGV", "std::bad_alloc"; else empty
    /// How the process is to be frozen at this very moment: as live::freeze, which cannot be used
    /// while the watch traces it. What it returns may outlive the watch; unless it is a clone it
    /// must be released before the dump's function returns.
    std::function<Result<std::unique_ptr<live::FrozenProcess>>(const live::CaptureOptions&,
                                                               Progress&)>
        freeze;
};

enum class WatchEventKind : std::uint8_t {
    watching,   ///< the target is there and pinned
    triggered,  ///< a condition is met; a dump follows unless only shown
    seen,       ///< an event that the filters keep out
    leftOut,    ///< a dump that was due and not taken (Taken::nothing)
    ended,      ///< the target ended
};
struct WatchEvent {
    WatchEventKind kind{};
    std::uint64_t pid = 0;
    std::string text;
};

enum class WatchEnd : std::uint8_t { count, targetEnded, duration, cancelled };

struct WatchReport {
    WatchEnd end{};
    std::uint32_t dumps = 0;    ///< taken, or shown
    std::vector<Error> failed;  ///< dumps that could not be taken; they are not counted
};

enum class Taken : std::uint8_t {
    dump,
    nothing,  ///< left out on purpose, so as not to hold the target up: it does not count
};
/// Takes one dump; knows formats and names, of which the monitor knows none.
using TakeDump = std::function<Result<Taken>(const DumpReason&)>;
using OnEvent = std::function<void(const WatchEvent&)>;
/// Whether the watch is to end now; asked every 100 ms. Empty: never.
using Cancelled = std::function<bool()>;

/// Watches until the plan is fulfilled, the target ends, the time is over or `cancelled` says so.
/// Calls come from the calling thread. A failing dump is counted in
/// the report and the watch goes on, as long as the target lives; three failures in a row end it
/// with the last one's error.
/// Errors: no such target, several of a name, or Errc::unsupported for a kind of trigger that this
/// system has no source for; then nothing has been done.
Result<WatchReport> watch(const WatchPlan& plan, const TakeDump& takeDump, const OnEvent& onEvent,
                          const Cancelled& cancelled);

}  // namespace icecore::monitor
