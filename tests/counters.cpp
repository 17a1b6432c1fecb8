// `icecore counters`: each value is what the kernel's own files say of a real process.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using Values = std::map<std::string, double>;

/// By object and counter, without the instance: "Process\Working Set".
Values counters(pid_t process, int milliseconds) {
    const ShellOutput output = shell(program() + " counters " + std::to_string(process) +
                                     " --json --milliseconds " + std::to_string(milliseconds));
    EXPECT_EQ(output.status, 0) << output.text;
    Values values;
    for (const auto& row : nlohmann::json::parse(output.text)) {
        std::string path = row.at("path");
        if (const auto open = path.find('('); open != std::string::npos)
            path.erase(open, path.find(')') - open + 1);
        if (row.contains("value")) values[path.substr(1)] = row.at("value");
    }
    return values;
}

double kibibytes(pid_t process, std::string_view key) {
    const std::string value = statusValue(process, key);
    return static_cast<double>(parseDecimal(splitBlanks(value).at(0)).value_or(0)) * 1024;
}

TEST(Counters, LevelsAreTheKernels) {
    Victim victim("capture_threads", {"many", "40"});
    ASSERT_TRUE(victim.until("ready"));
    const pid_t pid = victim.pid();
    Values values = counters(pid, 1);
    EXPECT_EQ(values["Process\\Thread Count"], 41);
    EXPECT_EQ(values["Process\\ID Process"], pid);
    const auto descriptors =
        std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd");
    EXPECT_EQ(values["Process\\Handle Count"],
              std::distance(begin(descriptors), std::filesystem::directory_iterator()));
    EXPECT_EQ(values["Process\\Working Set"], kibibytes(pid, "VmRSS"));
    EXPECT_EQ(values["Process\\Working Set Peak"], kibibytes(pid, "VmHWM"));
    EXPECT_EQ(values["Process\\Private Bytes"],
              kibibytes(pid, "RssAnon") + kibibytes(pid, "VmSwap"));
    EXPECT_EQ(values["Process\\Virtual Bytes"], kibibytes(pid, "VmSize"));
    EXPECT_GT(values["Process\\Virtual Bytes"], values["Process\\Working Set"]);
    EXPECT_GT(values["Memory\\Available MBytes"], 1);
    // Of two moments: others allocate meanwhile.
    EXPECT_NEAR(
        values["Memory\\Available MBytes"] * 1024 * 1024 / values["Memory\\Available Bytes"], 1,
        0.3);
    EXPECT_GE(values["Pressure\\CPU"], 0);
    EXPECT_LE(values["Pressure\\CPU"], 100);
    EXPECT_EQ(values.contains("Pressure\\Memory"),
              std::filesystem::exists("/proc/pressure/memory"));
}

TEST(Counters, RatesOfTheBusyAndOfTheIdle) {
    const Victim busy("/bin/dd", {"if=/dev/zero", "of=/dev/null", "bs=64k"});
    const Victim idle("/bin/sleep", {"1000"});
    Values active = counters(busy.pid(), 1000), still = counters(idle.pid(), 300);
    // As much as the busy one got of a processor, in user and kernel mode.
    EXPECT_GT(active["Process\\% Processor Time"], 1);
    EXPECT_LE(active["Process\\% Processor Time"], 110);
    EXPECT_NEAR(active["Process\\% Processor Time"],
                active["Process\\% User Time"] + active["Process\\% Privileged Time"], 5);
    EXPECT_GT(active["Process\\IO Read Bytes/sec"], 1 << 20);
    EXPECT_GT(active["Process\\IO Write Operations/sec"], 10);
    EXPECT_NEAR(active["Process\\IO Data Bytes/sec"] /
                    (active["Process\\IO Read Bytes/sec"] + active["Process\\IO Write Bytes/sec"]),
                1, 0.2);
    EXPECT_GT(active["Processor\\% Processor Time"], 1);
    EXPECT_LE(active["Processor\\% Processor Time"], 101);
    for (const char* rate :
         {"% Processor Time", "IO Read Bytes/sec", "IO Write Operations/sec", "Page Faults/sec"})
        EXPECT_EQ(still[std::string("Process\\") + rate], 0) << rate;
}

/// The first file that is there, of the group that /proc/PID/cgroup names for a controller.
std::string groupFile(std::string_view groups, std::string_view controller,
                      std::initializer_list<const char*> names) {
    for (const std::string_view line : split(groups, '\n')) {
        const auto parts = split(line, ':');
        if (parts.size() != 3 || (!parts[1].empty() && parts[1] != controller)) continue;
        for (const std::string& root :
             {std::string("/sys/fs/cgroup"), "/sys/fs/cgroup/" + std::string(controller)}) {
            for (const char* name : names) {
                const std::string path = root + std::string(parts[2]) + "/" + name;
                if (std::filesystem::exists(path)) return path;
            }
        }
    }
    return {};
}

TEST(Counters, OfTheControlGroup) {
    const Victim idle("/bin/sleep", {"1000"});
    const std::string groups = readText("/proc/" + std::to_string(idle.pid()) + "/cgroup");
    Values values = counters(idle.pid(), 1);
    const std::string memory =
        groupFile(groups, "memory", {"memory.current", "memory.usage_in_bytes"});
    EXPECT_EQ(values.contains("Cgroup\\Memory Bytes"), !memory.empty()) << groups;
    if (memory.empty())
        GTEST_SKIP() << "no control group of this process has memory.current or its like here";
    const double now = static_cast<double>(parseDecimal(trim(readText(memory))).value_or(0));
    EXPECT_GT(now, 0);
    EXPECT_GT(values["Cgroup\\Memory Bytes"], 0);
}

}  // namespace
}  // namespace icecore::tests
