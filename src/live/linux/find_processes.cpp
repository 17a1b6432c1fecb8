#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "live/capture.h"
#include "live/linux/proc.h"

namespace icecore::live {

namespace {

constexpr std::size_t commLimit = 15;  // TASK_COMM_LEN without its NUL

/// "program.bin" for "program" too.
bool sameName(std::string_view wanted, std::string_view name) {
    if (wanted == name) return true;
    const std::size_t dot = name.rfind('.');
    return dot != std::string_view::npos && dot > 0 && wanted == name.substr(0, dot);
}

/// A copy that somebody's capture has made of a process, and that never runs: its parent is not
/// told of its end. (Nor are parents of other things that are no programs, such as our guardians.)
bool isClone(const ProcStat& stat) {
    return stat.exitSignal == 0;
}

}  // namespace

std::vector<ProcessName> findProcesses(std::string_view name) {
    std::vector<ProcessName> found;
    if (name.empty()) return found;
    const auto ourselves = static_cast<std::uint64_t>(::getpid());
    for (const std::uint64_t pid : numbersIn("/proc")) {
        if (pid == ourselves) continue;
        const auto id = static_cast<pid_t>(pid);
        const auto stat = parseStat(readProcOrEmpty(procPath(id, "stat")));
        if (!stat || stat->kernelThread() || stat->dead() || isClone(*stat)) continue;
        ProcessName process{pid, stat->name, readLink(procPath(id, "exe")), {}};
        // comm holds only the first 15 characters of a longer name.
        const bool cut = name.size() > commLimit && process.executable.empty() &&
                         stat->name == name.substr(0, commLimit);
        if (!sameName(name, stat->name) && !sameName(name, programName(process.executable)) && !cut)
            continue;
        for (const std::string& part : splitNul(readProcOrEmpty(procPath(id, "cmdline")))) {
            if (!process.commandLine.empty()) process.commandLine += ' ';
            process.commandLine += part;
        }
        found.push_back(std::move(process));
    }
    return found;
}

std::vector<ProcessIdentity> processGroup(std::uint64_t group) {
    std::vector<ProcessIdentity> members;
    const pid_t ourselves = ::getpid();
    for (const std::uint64_t pid : numbersIn("/proc")) {
        const auto id = static_cast<pid_t>(pid);
        const auto stat = parseStat(readProcOrEmpty(procPath(id, "stat")));
        if (!stat || stat->kernelThread() || stat->dead() || isClone(*stat) || id == ourselves ||
            stat->parent == ourselves)
            continue;
        if (stat->processGroup > 0 && static_cast<std::uint64_t>(stat->processGroup) == group)
            members.push_back({pid, stat->startTicks});
    }
    return members;
}

}  // namespace icecore::live
