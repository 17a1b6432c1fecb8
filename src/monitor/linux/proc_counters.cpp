// Windows' counters out of /proc. Where Windows counts something Linux does not, the nearest is
// taken and `help` says which.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <span>
#include <thread>

#include "base/text.h"
#include "live/linux/proc.h"
#include "monitor/counters.h"
#include "monitor/linux/cgroup.h"

namespace icecore::monitor {

namespace {

using live::procPath;
using live::readProcOrEmpty;
using live::statusNumber;

constexpr double kibibyte = 1024;

enum class Unit : std::uint8_t {
    level,    ///< as it is
    rate,     ///< per second
    percent,  ///< of ticks: 100 is one processor's whole time
};

struct Row {
    std::string_view object, counter, help;
    Unit unit;
    std::optional<double> (*read)(pid_t process);
};

std::optional<double> status(pid_t process, std::string_view key) {
    const auto value = statusNumber(readProcOrEmpty(procPath(process, "status")), key);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}
std::optional<double> statusBytes(pid_t process, std::string_view key) {
    const auto value = status(process, key);
    return value ? std::optional(*value * kibibyte) : std::nullopt;
}
std::optional<double> io(pid_t process, std::string_view key) {
    const auto value = statusNumber(readProcOrEmpty(procPath(process, "io")), key);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}
std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
    return a && b ? std::optional(*a + *b) : std::nullopt;
}
/// Processor time in seconds.
std::optional<double> cpuSeconds(pid_t process, bool user, bool kernel) {
    const auto stat = live::parseStat(readProcOrEmpty(procPath(process, "stat")));
    if (!stat) return std::nullopt;
    const std::uint64_t ticks = (user ? stat->userTicks : 0) + (kernel ? stat->kernelTicks : 0);
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}
/// The busy part of /proc/stat's first line, in seconds of one processor, spread over all.
std::optional<double> machineSeconds() {
    const std::string text = readProcOrEmpty("/proc/stat");
    const auto fields = splitBlanks(std::string_view(text).substr(0, text.find('\n')));
    constexpr std::size_t idle = 4, wait = 5, last = 8;
    double ticks = 0;
    for (std::size_t i = 1; i < fields.size() && i <= last; ++i) {
        if (i != idle && i != wait)
            ticks += static_cast<double>(parseDecimal(fields[i]).value_or(0));
    }
    if (fields.size() <= last) return std::nullopt;
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)) /
           static_cast<double>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}
std::optional<double> memoryInfo(std::string_view key) {
    const auto value = statusNumber(readProcOrEmpty("/proc/meminfo"), key);
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}
/// "some avg10=1.23 …" of a pressure file.
std::optional<double> pressure(const std::string& text) {
    const std::size_t at = text.find("avg10=");
    if (at == std::string::npos) return std::nullopt;
    return std::strtod(text.c_str() + at + 6, nullptr);
}
std::optional<double> number(std::string_view text) {
    const auto value = parseDecimal(trim(text));
    return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}
/// What the process' group uses of memory: its name differs between the versions.
std::optional<double> groupMemory(pid_t process) {
    const auto current = number(cgroupFile(process, "memory", "memory.current"));
    return current ? current : number(cgroupFile(process, "memory", "memory.usage_in_bytes"));
}

constexpr auto table = std::to_array<Row>({
    {"Process", "% Processor Time", "user and kernel time; 100 is one processor", Unit::percent,
     [](pid_t p) { return cpuSeconds(p, true, true); }},
    {"Process", "% User Time", "user time", Unit::percent,
     [](pid_t p) { return cpuSeconds(p, true, false); }},
    {"Process", "% Privileged Time", "kernel time", Unit::percent,
     [](pid_t p) { return cpuSeconds(p, false, true); }},
    {"Process", "Thread Count", "Threads of /proc/PID/status", Unit::level,
     [](pid_t p) { return status(p, "Threads"); }},
    {"Process", "Handle Count", "open descriptors", Unit::level,
     [](pid_t p) {
         return std::optional(static_cast<double>(live::numbersIn(procPath(p, "fd")).size()));
     }},
    {"Process", "Working Set", "VmRSS, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "VmRSS"); }},
    {"Process", "Working Set Peak", "VmHWM, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "VmHWM"); }},
    {"Process", "Working Set - Private", "RssAnon, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "RssAnon"); }},
    {"Process", "Private Bytes", "RssAnon and VmSwap, in bytes", Unit::level,
     [](pid_t p) -> std::optional<double> {
         const auto resident = statusBytes(p, "RssAnon");
         if (!resident) return std::nullopt;
         return *resident + statusBytes(p, "VmSwap").value_or(0);
     }},
    {"Process", "Page File Bytes", "VmSwap, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "VmSwap"); }},
    {"Process", "Virtual Bytes", "VmSize, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "VmSize"); }},
    {"Process", "Virtual Bytes Peak", "VmPeak, in bytes", Unit::level,
     [](pid_t p) { return statusBytes(p, "VmPeak"); }},
    {"Process", "ID Process", "its number", Unit::level,
     [](pid_t p) { return std::optional(static_cast<double>(p)); }},
    {"Process", "IO Read Bytes/sec", "rchar of /proc/PID/io", Unit::rate,
     [](pid_t p) { return io(p, "rchar"); }},
    {"Process", "IO Write Bytes/sec", "wchar of /proc/PID/io", Unit::rate,
     [](pid_t p) { return io(p, "wchar"); }},
    {"Process", "IO Read Operations/sec", "syscr of /proc/PID/io", Unit::rate,
     [](pid_t p) { return io(p, "syscr"); }},
    {"Process", "IO Write Operations/sec", "syscw of /proc/PID/io", Unit::rate,
     [](pid_t p) { return io(p, "syscw"); }},
    {"Process", "IO Data Bytes/sec", "rchar and wchar of /proc/PID/io", Unit::rate,
     [](pid_t p) { return sum(io(p, "rchar"), io(p, "wchar")); }},
    {"Process", "IO Data Operations/sec", "syscr and syscw of /proc/PID/io", Unit::rate,
     [](pid_t p) { return sum(io(p, "syscr"), io(p, "syscw")); }},
    {"Process", "Page Faults/sec", "minor and major faults", Unit::rate,
     [](pid_t p) -> std::optional<double> {
         const auto stat = live::parseStat(readProcOrEmpty(procPath(p, "stat")));
         return stat ? std::optional(static_cast<double>(stat->faults)) : std::nullopt;
     }},
    {"Processor", "% Processor Time", "busy share of all processors", Unit::percent,
     [](pid_t) { return machineSeconds(); }},
    {"Memory", "Available MBytes", "MemAvailable, in MiB", Unit::level,
     [](pid_t) -> std::optional<double> {
         const auto available = memoryInfo("MemAvailable");
         return available ? std::optional(*available / kibibyte) : std::nullopt;
     }},
    {"Memory", "Available Bytes", "MemAvailable, in bytes", Unit::level,
     [](pid_t) -> std::optional<double> {
         const auto available = memoryInfo("MemAvailable");
         return available ? std::optional(*available * kibibyte) : std::nullopt;
     }},
    {"Memory", "Committed Bytes", "Committed_AS, in bytes", Unit::level,
     [](pid_t) -> std::optional<double> {
         const auto committed = memoryInfo("Committed_AS");
         return committed ? std::optional(*committed * kibibyte) : std::nullopt;
     }},
    {"Pressure", "CPU", "share of the last 10 s in which some waited for a processor, per cent",
     Unit::level, [](pid_t) { return pressure(readProcOrEmpty("/proc/pressure/cpu")); }},
    {"Pressure", "Memory", "the same for memory", Unit::level,
     [](pid_t) { return pressure(readProcOrEmpty("/proc/pressure/memory")); }},
    {"Pressure", "IO", "the same for input and output", Unit::level,
     [](pid_t) { return pressure(readProcOrEmpty("/proc/pressure/io")); }},
    {"Cgroup", "Memory Bytes", "memory.current (memory.usage_in_bytes) of its cgroup", Unit::level,
     groupMemory},
    {"Cgroup", "Processes", "pids.current of its cgroup", Unit::level,
     [](pid_t p) { return number(cgroupFile(p, "pids", "pids.current")); }},
    {"Cgroup", "CPU Pressure", "as Pressure, within its cgroup (version 2)", Unit::level,
     [](pid_t p) { return pressure(cgroupFile(p, {}, "cpu.pressure")); }},
    {"Cgroup", "Memory Pressure", "the same for memory", Unit::level,
     [](pid_t p) { return pressure(cgroupFile(p, {}, "memory.pressure")); }},
    {"Cgroup", "IO Pressure", "the same for input and output", Unit::level,
     [](pid_t p) { return pressure(cgroupFile(p, {}, "io.pressure")); }},
});

bool same(std::string_view a, std::string_view b) {
    return toLower(a) == toLower(b);
}

class ProcCounters final : public CounterSource {
public:
    ProcCounters(pid_t process, std::string name) : process_(process), name_(std::move(name)) {}

    Result<std::optional<double>> read(const CounterPath& path) override {
        const auto row = std::ranges::find_if(table, [&](const Row& candidate) {
            return same(candidate.object, path.object) && same(candidate.counter, path.counter);
        });
        const std::string where =
            fmt::format("\\{}({})\\{}", path.object, path.instance, path.counter);
        if (row == table.end())
            return fail(Errc::not_found, "no such counter; `icecore counters PID` lists them",
                        where);
        if (same(path.object, "Process") && !meansUs(path.instance))
            return fail(Errc::not_found,
                        fmt::format("the instance is another process than {}_{}", name_, process_),
                        where);
        return measure(*row);
    }

    std::vector<CounterValue> all(std::chrono::milliseconds time) override {
        for (const Row& row : table) {
            if (row.unit != Unit::level) (void)measure(row);
        }
        std::this_thread::sleep_for(time);
        std::vector<CounterValue> values;
        values.reserve(std::size(table));
        for (const Row& row : table)
            values.push_back({pathOf(row), std::string(row.help), measure(row)});
        return values;
    }

private:
    /// "w3wp_66666", "w3wp", "w3wp#1" (Windows numbers those of one name), or nothing.
    [[nodiscard]] bool meansUs(std::string_view instance) const {
        instance = instance.substr(0, instance.find('#'));
        return instance.empty() || same(instance, name_) ||
               same(instance, fmt::format("{}_{}", name_, process_)) ||
               instance == std::to_string(process_) ||
               instance.ends_with(fmt::format("_{}", process_));
    }

    [[nodiscard]] std::string pathOf(const Row& row) const {
        if (row.object == "Process")
            return fmt::format("\\Process({}_{})\\{}", name_, process_, row.counter);
        if (row.object == "Processor") return fmt::format("\\Processor(_Total)\\{}", row.counter);
        return fmt::format("\\{}\\{}", row.object, row.counter);
    }

    std::optional<double> measure(const Row& row) {
        const auto value = row.read(process_);
        if (row.unit == Unit::level || !value) return value;
        const auto now = std::chrono::steady_clock::now();
        std::optional<double> rate;
        if (const auto before = last_.find(&row); before != last_.end()) {
            const double seconds =
                std::chrono::duration<double>(now - before->second.first).count();
            if (seconds > 0) rate = std::max(0.0, *value - before->second.second) / seconds;
        }
        last_[&row] = {now, *value};
        if (rate && row.unit == Unit::percent) *rate *= 100;
        return rate;
    }

    pid_t process_;
    std::string name_;
    std::map<const Row*, std::pair<std::chrono::steady_clock::time_point, double>> last_;
};

}  // namespace

std::unique_ptr<CounterSource> openCounters(std::uint64_t pid, std::string name) {
    return std::make_unique<ProcCounters>(static_cast<pid_t>(pid), std::move(name));
}

}  // namespace icecore::monitor
