// Where levels come from: one implementation per system, and a scripted one in tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "monitor/counters.h"
#include "monitor/watch.h"

namespace icecore::monitor {

/// What is to be read at a poll; the rest is left out, because reading costs.
struct WantedFacts {
    bool cpu = false, commit = false, threads = false, handles = false;
};

struct Facts {
    std::optional<std::chrono::nanoseconds> cpuTime;  ///< used by all threads since its start
    std::optional<std::uint64_t> commitBytes;
    std::optional<std::uint64_t> threads, handles;
};

/// One process, pinned: it cannot turn into another one of the same number.
class FactSource {
public:
    virtual ~FactSource() = default;
    [[nodiscard]] virtual std::uint64_t pid() const = 0;
    /// Errc::target_gone once it has ended (an uncollected zombie has ended).
    virtual Result<Facts> read(const WantedFacts& wanted) = 0;
    [[nodiscard]] virtual std::uint32_t processors() const = 0;
    [[nodiscard]] virtual std::chrono::nanoseconds now() const = 0;
    /// A performance counter's value (see counters.h); nothing where it has none yet.
    virtual Result<std::optional<double>> counter(const CounterPath& path) = 0;
    /// What hangs, for people; nothing while nothing does. Errc::unsupported: that cannot be seen
    /// here, and why.
    virtual Result<std::optional<std::string>> hung(const HungWindow& trigger) = 0;
    virtual Result<std::optional<std::string>> hung(const HungProcess& trigger) = 0;
    /// Sleeps; returns earlier when the target ends or `cancelled` says so.
    virtual void sleep(std::chrono::nanoseconds time, const Cancelled& cancelled) = 0;
    virtual void kill() = 0;
};

/// The system's source for a running process.
Result<std::unique_ptr<FactSource>> openFactSource(std::uint64_t pid);

class EventSource;

/// `watch` with given sources; the plan's target is not looked at. `events` may be null where the
/// plan needs none.
Result<WatchReport> watchWith(const WatchPlan& plan, FactSource& source, EventSource* events,
                              const TakeDump& takeDump, const OnEvent& onEvent,
                              const Cancelled& cancelled);

}  // namespace icecore::monitor
