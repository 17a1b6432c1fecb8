#include "monitor/linux/cgroup.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "live/linux/proc.h"

namespace icecore::monitor {

namespace {

bool names(std::string_view list, std::string_view word) {
    const auto words = split(list, ',');
    return std::ranges::find(words, word) != words.end();
}

/// Where the hierarchy is mounted here; empty when it is not.
std::string_view mountOf(std::string_view mounts, std::string_view controller) {
    for (const std::string_view line : split(mounts, '\n')) {
        const auto fields = splitBlanks(line);  // device, place, type, options
        if (fields.size() < 4) continue;
        if (controller.empty() ? fields[2] == "cgroup2"
                               : fields[2] == "cgroup" && names(fields[3], controller))
            return fields[1];
    }
    return {};
}

/// The process' group in the hierarchy: "4:memory:/path", "0::/path" of version 2.
std::string_view groupIn(std::string_view groups, std::string_view controller) {
    for (const std::string_view line : split(groups, '\n')) {
        const std::size_t first = line.find(':');
        const std::size_t second =
            line.find(':', first == std::string_view::npos ? first : first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? controllers.empty() : names(controllers, controller))
            return line.substr(second + 1);
    }
    return {};
}

std::string read(pid_t process, std::string_view controller, std::string_view file) {
    const std::string mounts = live::readProcOrEmpty("/proc/self/mounts");
    const std::string groups = live::readProcOrEmpty(live::procPath(process, "cgroup"));
    const std::string_view mount = mountOf(mounts, controller);
    const std::string_view group = groupIn(groups, controller);
    if (mount.empty() || group.empty()) return {};
    return live::readProcOrEmpty(fmt::format("{}{}/{}", mount, group, file));
}

}  // namespace

std::string cgroupFile(pid_t process, std::string_view controller, std::string_view file) {
    std::string text = read(process, {}, file);
    if (text.empty() && !controller.empty()) text = read(process, controller, file);
    return text;
}

}  // namespace icecore::monitor
