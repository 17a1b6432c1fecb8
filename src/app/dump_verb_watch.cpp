#include "app/dump_verb_watch.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <tuple>

#include "base/text.h"
#include "model/signals.h"
#include "monitor/counters.h"

namespace icecore::app {

namespace {

constexpr unsigned mostConcurrent = 5;  ///< as ProcDump's -r
constexpr double longest = 1e9;         ///< seconds; more would overflow the clock

Result<std::chrono::milliseconds> seconds(std::string_view option, double value) {
    if (!(value >= 0) || value > longest)
        return fail(Errc::usage, std::string(option) + " takes a number of seconds");
    return std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000));
}

}  // namespace

void WatchOptions::declare(CLI::App& command) {
    const std::string heading = "Wait until";
    command.add_option("--cpu", cpu, "its CPU use is above N % of the machine")->group(heading);
    command.add_option("--cpu-below", cpuBelow, "its CPU use is below N %")->group(heading);
    command
        .add_option("--memory", memory, "it has committed more than MB; several: a dump for each")
        ->delimiter(',')
        ->group(heading);
    command.add_option("--memory-below", memoryBelow, "it has committed less than MB")
        ->delimiter(',')
        ->group(heading);
    command.add_option("--threads", threads, "it has N threads or more")->group(heading);
    command.add_option("--handles", handles, "it has N open descriptors or more")->group(heading);
    command
        .add_option(
            "--counter", counters,
            "a performance counter: PATH>N, PATH>=N or PATH<N; `icecore counters PID` lists them")
        ->group(heading);
    command
        .add_option("--exception", exception,
                    "second: a signal nobody handles is about to end it; first: also faults before "
                    "their handler, and C++ throws")
        ->group(heading);
    command
        .add_option("--filter", filters,
                    "only exceptions, signals and modules whose text has TEXT in it; * and ? "
                    "stand for others")
        ->group(heading);
    command.add_option("--exclude", excluded, "not those with TEXT in it")->group(heading);
    command.add_option("--signal", signals, "one of these signals comes to any of its threads")
        ->delimiter(',')
        ->group(heading);
    command
        .add_flag("--debug-output", output,
                  "it writes to its log stream: standard error, or the system's log")
        ->group(heading);
    command
        .add_option("--hung", hung,
                    "it hangs: for SECONDS none of its threads has run although work waits for "
                    "one, or a window of it does not answer")
        ->group(heading);
    command
        .add_option("--hung-window", hungWindow,
                    "a window of it (X11) has not answered for SECONDS; ProcDump takes 5")
        ->group(heading);
    command.add_flag("--exit", exit, "it ends, while its memory is still there")->group(heading);
    command.add_flag("--load", load, "it loads a module")->group(heading);
    command.add_flag("--unload", unload, "it unloads a module")->group(heading);
    command.add_flag("--thread-start", threadStart, "a thread of it starts")->group(heading);
    command.add_flag("--thread-exit", threadExit, "a thread of it ends")->group(heading);
    command.add_option("--hold", hold, "SECONDS that a level must hold (10)")->group(heading);
    command
        .add_option("--every", every,
                    "SECONDS between two dumps (as --hold, which it sets where that is not given); "
                    "alone: a dump every so often")
        ->group(heading);
    command.add_flag("--show", show, "only say what would have been dumped")->group(heading);
    command.add_flag("--kill", kill, "end it after the last dump")->group(heading);
    command.add_option("--count", count, "dumps to take (1)")->group(heading);
    command.add_option("--duration", duration, "give up after SECONDS")->group(heading);
    command.add_option("-w,--wait", waitFor, "a program of this NAME runs")->group(heading);
    command.add_option("--pgid", group, "instead of a TARGET: every process of this GROUP")
        ->group(heading);
    command
        .add_option("--concurrent", concurrent,
                    "up to N dumps are written while the watch, and what triggered them, goes on")
        ->check(CLI::Range(0U, mostConcurrent))
        ->group(heading);
    command
        .add_flag("--avoid-outage", avoidOutage,
                  "leave a dump out rather than wait for one of --concurrent")
        ->group(heading);
    command.add_option("--log", log, "syslog: what happens is told there")
        ->check(CLI::IsMember({"syslog", "stderr"}))
        ->group(heading);
    command
        .add_option("--cancel", cancel, "end every watch of the process PID, and do nothing else")
        ->group(heading);
}

bool WatchOptions::given() const {
    return cpu || cpuBelow || !memory.empty() || !memoryBelow.empty() || threads || handles ||
           !counters.empty() || !exception.empty() || !signals.empty() || exit || output || hung ||
           hungWindow || load || unload || threadStart || threadExit || hold || every || duration ||
           count != 1 || show || kill || !filters.empty() || !excluded.empty() ||
           !waitFor.empty() || group || concurrent != 0 || avoidOutage;
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
    for (const std::string& text : counters) {
        const std::size_t sign = text.find_last_of("<>");
        const bool orEqual = sign != std::string::npos && text.substr(sign).starts_with(">=");
        monitor::CounterLevel level;
        char* end = nullptr;
        if (sign != std::string::npos) {
            level.path = trim(std::string_view(text).substr(0, sign));
            level.comparison = text[sign] == '<' ? Comparison::below
                               : orEqual         ? Comparison::atLeast
                                                 : Comparison::above;
            level.value = std::strtod(text.c_str() + sign + (orEqual ? 2 : 1), &end);
        }
        if (end == nullptr || *end != '\0' || end == text.c_str() + sign + (orEqual ? 2 : 1))
            return fail(Errc::usage, "--counter takes PATH>NUMBER, PATH>=NUMBER or PATH<NUMBER");
        TRY(monitor::parseCounterPath(level.path));
        plan.triggers.push_back(std::move(level));
    }
    if (!exception.empty() && exception != "first" && exception != "second")
        return fail(Errc::usage, "--exception takes first or second");
    if (!exception.empty()) {
        plan.triggers.push_back(monitor::ExceptionSeen{
            exception == "first" ? monitor::Chance::first : monitor::Chance::second});
    }
    if (!signals.empty()) {
        monitor::SignalSeen seen;
        for (const std::string& name : signals) {
            const auto number = signalByName(name);
            if (!number) return fail(Errc::usage, "--signal: no signal is called `" + name + "`");
            seen.numbers.push_back(static_cast<int>(*number));
        }
        plan.triggers.push_back(std::move(seen));
    }
    for (const auto& [option, value, process] :
         {std::tuple{"--hung", hung, true}, std::tuple{"--hung-window", hungWindow, false}}) {
        if (!value) continue;
        ASSIGN_OR_RETURN(const auto limit, seconds(option, *value));
        if (process) plan.triggers.push_back(monitor::HungProcess{limit});
        using enum monitor::HungWindow::WithoutDisplay;
        plan.triggers.push_back(monitor::HungWindow{limit, process ? neverHangs : fails});
    }
    if (output) plan.triggers.push_back(monitor::DebugOutput{});
    if (exit) plan.triggers.push_back(monitor::ProcessExit{});
    if (load) plan.triggers.push_back(monitor::ModuleChange{false});
    if (unload) plan.triggers.push_back(monitor::ModuleChange{true});
    if (threadStart) plan.triggers.push_back(monitor::ThreadChange{false});
    if (threadExit) plan.triggers.push_back(monitor::ThreadChange{true});
    plan.include = filters;
    plan.exclude = excluded;
    plan.showOnly = show;
    plan.killAfterDump = kill;
    if (every) {
        ASSIGN_OR_RETURN(plan.gap, seconds("--every", *every));
        plan.hold = *plan.gap;
    }
    if (hold) {
        ASSIGN_OR_RETURN(plan.hold, seconds("--hold", *hold));
    }
    if (duration) {
        ASSIGN_OR_RETURN(plan.duration, seconds("--duration", *duration));
    }
    if (avoidOutage && concurrent == 0)
        return fail(Errc::usage, "--avoid-outage belongs to --concurrent");
    if (count == 0) return fail(Errc::usage, "--count takes a number above 0");
    plan.count = count;
    // Only time was named; a mere -w takes its dump at once.
    if (plan.triggers.empty() && (every || count != 1)) plan.triggers.push_back(monitor::Timer{});
    if (plan.triggers.empty() && duration)
        return fail(Errc::usage, "--duration needs something to wait for");
    return plan;
}

}  // namespace icecore::app
