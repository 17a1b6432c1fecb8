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

}  // namespace

std::vector<ProcessName> findProcesses(std::string_view name) {
    std::vector<ProcessName> found;
    if (name.empty()) return found;
    const auto ourselves = static_cast<std::uint64_t>(::getpid());
    for (const std::uint64_t pid : numbersIn("/proc")) {
        if (pid == ourselves) continue;
        const auto id = static_cast<pid_t>(pid);
        const auto stat = parseStat(readProcOrEmpty(procPath(id, "stat")));
        if (!stat || stat->kernelThread() || stat->dead()) continue;
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

}  // namespace icecore::live
