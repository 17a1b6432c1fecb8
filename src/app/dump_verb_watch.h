// The options of `icecore dump` that make it wait for something.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "monitor/watch.h"

namespace CLI {
class App;
}

namespace icecore::app {

struct WatchOptions {
    std::optional<double> cpu, cpuBelow;
    std::vector<std::uint64_t> memory, memoryBelow;
    std::optional<std::uint64_t> threads, handles;
    std::string exception;             ///< first, second, or empty
    std::vector<std::string> signals;  ///< names or numbers
    std::vector<std::string> filters, excluded;
    std::vector<std::string> counters;  ///< "PATH>N", "PATH<N"
    std::optional<double> hung, hungWindow;
    bool output = false;
    bool exit = false, load = false, unload = false, threadStart = false, threadExit = false;
    std::optional<double> hold, every, duration;
    std::uint32_t count = 1;
    bool show = false, kill = false;
    std::string waitFor;                  ///< -w
    std::optional<std::uint64_t> group;   ///< --pgid
    std::optional<std::uint64_t> cancel;  ///< --cancel: nothing is watched; others are ended
    unsigned concurrent = 0;
    bool avoidOutage = false;
    std::string log;  ///< syslog, or empty

    void declare(CLI::App& command);
    /// Whether anything is to be waited for.
    [[nodiscard]] bool given() const;
    /// The plan without its target. Errors: values that make no sense.
    [[nodiscard]] Result<monitor::WatchPlan> plan() const;
};

}  // namespace icecore::app
