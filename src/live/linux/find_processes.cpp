#include <unistd.h>

#include <string_view>

#include "base/text.h"
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

/// What the kernel cut of a name, if the program's file or an argument (a script's path) has it.
std::string wholeName(const std::string& comm, std::string_view executable,
                      const std::vector<std::string>& arguments) {
    if (comm.size() < commLimit) return comm;
    if (programName(executable).starts_with(comm)) return std::string(programName(executable));
    for (const std::string& argument : arguments) {
        if (programName(argument).starts_with(comm)) return std::string(programName(argument));
    }
    return comm;
}

std::vector<std::string> argumentsOf(pid_t id) {
    return splitNul(readProcOrEmpty(procPath(id, "cmdline")));
}

}  // namespace

std::string processName(std::uint64_t pid) {
    const auto id = static_cast<pid_t>(pid);
    return wholeName(std::string(trim(readProcOrEmpty(procPath(id, "comm")))),
                     readLink(procPath(id, "exe")), argumentsOf(id));
}

std::vector<ProcessName> findProcesses(std::string_view name) {
    std::vector<ProcessName> found;
    if (name.empty()) return found;
    const auto ourselves = static_cast<std::uint64_t>(::getpid());
    for (const std::uint64_t pid : numbersIn("/proc")) {
        if (pid == ourselves) continue;
        const auto id = static_cast<pid_t>(pid);
        const auto stat = parseStat(readProcOrEmpty(procPath(id, "stat")));
        if (!stat || stat->kernelThread() || stat->dead() || isClone(*stat)) continue;
        const auto arguments = argumentsOf(id);
        const std::string executable = readLink(procPath(id, "exe"));
        ProcessName process{pid, wholeName(stat->name, executable, arguments), executable, {}};
        if (!sameName(name, process.name) && !sameName(name, stat->name) &&
            !sameName(name, programName(executable)))
            continue;
        for (const std::string& part : arguments) {
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
