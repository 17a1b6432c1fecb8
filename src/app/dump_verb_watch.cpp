#include "app/dump_verb_watch.h"

#include <CLI/CLI.hpp>
#include <chrono>

namespace icecore::app {

namespace {

constexpr double longest = 1e9;  ///< seconds; more would overflow the clock

Result<std::chrono::milliseconds> seconds(std::string_view option, double value) {
    if (!(value >= 0) || value > longest)
        return fail(Errc::usage, std::string(option) + " takes a number of seconds");
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

}  // namespace

void WatchOptions::declare(CLI::App& command) {
    const std::string group = "Wait until";
    command.add_option("--cpu", cpu, "its CPU use is above N % of the machine")->group(group);
    command.add_option("--cpu-below", cpuBelow, "its CPU use is below N %")->group(group);
    command
        .add_option("--memory", memory, "it has committed more than MB; several: a dump for each")
        ->delimiter(',')
        ->group(group);
    command.add_option("--memory-below", memoryBelow, "it has committed less than MB")
        ->delimiter(',')
        ->group(group);
    command.add_option("--threads", threads, "it has N threads or more")->group(group);
    command.add_option("--handles", handles, "it has N open descriptors or more")->group(group);
    command
        .add_option("--every", every,
                    "SECONDS that a level must hold and between two dumps (10); alone: a dump "
                    "every so often")
        ->group(group);
    command.add_option("--count", count, "dumps to take (1)")->group(group);
    command.add_option("--duration", duration, "give up after SECONDS")->group(group);
    command.add_option("-w,--wait", waitFor, "a program of this NAME runs")->group(group);
}

bool WatchOptions::given() const {
    return cpu || cpuBelow || !memory.empty() || !memoryBelow.empty() || threads || handles ||
           every || duration || count != 1 || !waitFor.empty();
}

Result<monitor::WatchPlan> WatchOptions::plan() const {
    using monitor::Comparison;
    monitor::WatchPlan plan;
    if (cpu) plan.triggers.push_back(monitor::CpuLevel{Comparison::above, *cpu, false});
    if (cpuBelow) plan.triggers.push_back(monitor::CpuLevel{Comparison::below, *cpuBelow, false});
    if (!memory.empty()) plan.triggers.push_back(monitor::CommitLevel{Comparison::above, memory});
    if (!memoryBelow.empty())
        plan.triggers.push_back(monitor::CommitLevel{Comparison::below, memoryBelow});
    if (threads) plan.triggers.push_back(monitor::ThreadLevel{*threads});
    if (handles) plan.triggers.push_back(monitor::HandleLevel{*handles});
    if (every) {
        ASSIGN_OR_RETURN(plan.consecutive, seconds("--every", *every));
    }
    if (duration) {
        ASSIGN_OR_RETURN(plan.duration, seconds("--duration", *duration));
    }
    if (count == 0) return fail(Errc::usage, "--count takes a number above 0");
    plan.count = count;
    // Only time was named; a mere -w takes its dump at once.
    if (plan.triggers.empty() && (every || count != 1)) plan.triggers.push_back(monitor::Timer{});
    if (plan.triggers.empty() && duration)
        return fail(Errc::usage, "--duration needs something to wait for");
    return plan;
}

}  // namespace icecore::app
