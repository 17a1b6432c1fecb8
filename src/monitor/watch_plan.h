// What to watch for: a plain value that every front end (the dump verb, procdump) fills in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace icecore::monitor {

// Whom to watch.

struct TargetPid {
    std::uint64_t pid = 0;
    bool operator==(const TargetPid&) const = default;
};
/// The one running process of this name; several are an error.
struct TargetName {
    std::string name;
    bool operator==(const TargetName&) const = default;
};
/// As TargetName, but waits for it to start where none is running.
struct TargetWaitFor {
    std::string name;
    bool operator==(const TargetWaitFor&) const = default;
};
/// A program that is started for the watch, in a session of its own.
struct TargetLaunch {
    std::vector<std::string> arguments;  ///< the program first
    bool operator==(const TargetLaunch&) const = default;
};
/// Every process of a process group.
struct TargetGroup {
    std::uint64_t group = 0;
    bool operator==(const TargetGroup&) const = default;
};
using WatchTarget = std::variant<TargetPid, TargetName, TargetWaitFor, TargetLaunch, TargetGroup>;

// What to watch for. Levels are compared once per poll; a dump is due when the comparison has held
// for WatchPlan::hold.

enum class Comparison : std::uint8_t { above, below, atLeast };

/// Share of the machine (all processors: 0 to 100), or of one processor (oneCore: 0 to 100 times
/// the number of processors).
struct CpuLevel {
    Comparison comparison = Comparison::above;
    double percent = 0;
    bool oneCore = false;
    bool operator==(const CpuLevel&) const = default;
};
/// Committed memory of the process in MiB; on Linux resident plus swapped. Several thresholds:
/// one dump for each, in the order given.
struct CommitLevel {
    Comparison comparison = Comparison::above;
    std::vector<std::uint64_t> mebibytes;
    bool operator==(const CommitLevel&) const = default;
};
/// Number of threads, at least.
struct ThreadLevel {
    std::uint64_t count = 0;
    bool operator==(const ThreadLevel&) const = default;
};
/// Open handles (descriptors on Linux), at least.
struct HandleLevel {
    std::uint64_t count = 0;
    bool operator==(const HandleLevel&) const = default;
};
/// A performance counter by its Windows name, "\Process(NAME_PID)\Thread Count".
struct CounterLevel {
    std::string path;
    Comparison comparison = Comparison::above;
    double value = 0;
    bool operator==(const CounterLevel&) const = default;
};
/// A window of the process has not answered its display's question whether it is alive
/// (_NET_WM_PING) for that long.
struct HungWindow {
    enum class WithoutDisplay : std::uint8_t { fails, neverHangs, hangsAsProcess };
    std::chrono::milliseconds limit{5000};
    WithoutDisplay withoutDisplay = WithoutDisplay::fails;
    bool operator==(const HungWindow&) const = default;
};
/// For that long no thread of the process has run although work waits for one: a thread that wants
/// to run or waits in the kernel where nothing can interrupt it, or something unread at a socket.
struct HungProcess {
    std::chrono::milliseconds limit{5000};
    bool operator==(const HungProcess&) const = default;
};
struct ProcessExit {
    bool operator==(const ProcessExit&) const = default;
};
enum class Chance : std::uint8_t {
    first,   ///< before any handler
    second,  ///< nobody handles it: it is about to end the process
};
struct ExceptionSeen {
    Chance chance = Chance::second;
    bool operator==(const ExceptionSeen&) const = default;
};
struct SignalSeen {
    std::vector<int> numbers;
    bool operator==(const SignalSeen&) const = default;
};
struct DebugOutput {
    bool operator==(const DebugOutput&) const = default;
};
struct ModuleChange {
    bool unload = false;
    bool operator==(const ModuleChange&) const = default;
};
struct ThreadChange {
    bool exit = false;
    bool operator==(const ThreadChange&) const = default;
};
/// Nothing but time: a dump every WatchPlan::gap (ProcDump's -s without a trigger).
struct Timer {
    bool operator==(const Timer&) const = default;
};
using Trigger = std::variant<CpuLevel, CommitLevel, ThreadLevel, HandleLevel, CounterLevel,
                             HungWindow, HungProcess, ProcessExit, ExceptionSeen, SignalSeen,
                             DebugOutput, ModuleChange, ThreadChange, Timer>;

struct WatchPlan {
    WatchTarget target;
    std::vector<Trigger> triggers;  ///< any of them is enough; none: one dump at once

    /// On the text of exceptions, debug output and modules; `*` and `?`, case is ignored, a pattern
    /// without wildcards is looked for anywhere. No include: everything is included.
    std::vector<std::string> include, exclude;

    /// How long a level must hold without a break.
    std::chrono::milliseconds hold{10000};
    /// The least time between two dumps. Not given: `hold` between levels; events (exceptions,
    /// signals, modules…) each count.
    std::optional<std::chrono::milliseconds> gap;
    std::uint32_t count = 1;  ///< dumps to take; then the watch ends
    std::chrono::milliseconds poll{1000};
    std::optional<std::chrono::milliseconds> duration;  ///< the watch ends after this long
    bool showOnly = false;       ///< report what would have dumped, take none
    bool killAfterDump = false;  ///< end the target after the last dump

    bool operator==(const WatchPlan&) const = default;
};

/// Whether the filters let a text through.
[[nodiscard]] bool passesFilters(const WatchPlan& plan, std::string_view text);
/// A short name of the trigger for messages and file names: "cpu", "commit", "thread",
/// "filedesc", "perfcounter", "hang", "exit", "exception", "signal", "output", "module", "time".
[[nodiscard]] std::string_view kindOf(const Trigger& trigger);

}  // namespace icecore::monitor
