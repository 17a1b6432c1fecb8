#include "kit/machine.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/text.h"

namespace icecore::bench {

namespace {

std::string cpuModel() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name"))
            return std::string(trim(line.substr(line.find(':') + 1)));
    }
    return "unknown";
}

/// File system type and device of the mount that `directory` is on, by its device number.
std::string diskOf(const std::string& directory) {
    struct stat info{};
    if (stat(directory.c_str(), &info) != 0) return "unknown";
    const std::string number = fmt::format("{}:{}", major(info.st_dev), minor(info.st_dev));
    std::ifstream mounts("/proc/self/mountinfo");  // proc(5): … MAJOR:MINOR … - TYPE SOURCE …
    for (std::string line; std::getline(mounts, line);) {
        const auto words = splitBlanks(line);
        if (words.size() < 3 || words[2] != number) continue;
        const auto dash = line.find(" - ");
        const auto rest = splitBlanks(std::string_view(line).substr(dash + 3));
        if (dash == std::string::npos || rest.size() < 2) continue;
        std::string text(rest[0]);
        const std::string device(rest[1].substr(rest[1].rfind('/') + 1));
        std::string spinning;
        std::getline(std::ifstream("/sys/class/block/" + device + "/queue/rotational"), spinning);
        if (device.starts_with("vd")) {
            text += " on a virtio disk";
        } else if (spinning == "1") {
            text += " on a spinning disk";
        } else if (spinning == "0") {
            text += " on a solid-state disk";
        }
        return text;
    }
    return "unknown";
}

}  // namespace

Machine describeMachine(const std::string& directory) {
    Machine machine;
    machine.cpu = cpuModel();
    machine.cores = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
    machine.memory = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    utsname name{};
    uname(&name);
    machine.kernel = fmt::format("{} {}", name.sysname, name.release);
    machine.disk = diskOf(directory);
    machine.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
    if (getloadavg(&machine.load, 1) != 1) machine.load = 0;
    return machine;
}

}  // namespace icecore::bench
