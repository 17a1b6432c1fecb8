// `icecore dump` that waits: a target that meets the condition is dumped, its twin is not.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using Json = nlohmann::json;

std::size_t dumpsIn(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        count += entry.path().extension() == ".core";
    return count;
}

ShellOutput dump(const Scratch& scratch, pid_t pid, const std::string& options) {
    return shell(program() + " dump " + std::to_string(pid) + " --json " + options + " -o " +
                 scratch.file("dump.core") + " 2>/dev/null");
}

struct Way {
    const char* name;    ///< of the trigger in --json
    const char* meets;   ///< options that the victim meets
    const char* misses;  ///< options that it never does
};

class DumpTrigger : public testing::TestWithParam<Way> {};

// The victim has more than 40 threads and does nothing.
TEST_P(DumpTrigger, DumpsWhoMeetsItAndNobodyElse) {
    Victim victim("capture_threads", {"many", "40"});
    ASSERT_EQ(victim.line(), "ready");
    {
        const Scratch scratch;
        const ShellOutput met = dump(scratch, victim.pid(), GetParam().meets);
        ASSERT_EQ(met.status, 0) << met.text;
        EXPECT_EQ(dumpsIn(scratch.file("")), 1U);
        const Json json = Json::parse(met.text, nullptr, false);
        ASSERT_TRUE(json.is_object()) << met.text;
        EXPECT_EQ(json["trigger"], GetParam().name);
        EXPECT_GT(json["threads"], 40);
    }
    const Scratch scratch;
    const ShellOutput missed = dump(scratch, victim.pid(), GetParam().misses);
    EXPECT_EQ(missed.status, 1) << missed.text;
    EXPECT_EQ(dumpsIn(scratch.file("")), 0U);
    EXPECT_EQ(statusValue(victim.pid(), "TracerPid"), "0");
}

INSTANTIATE_TEST_SUITE_P(
    Levels, DumpTrigger,
    testing::Values(Way{"thread", "--threads 40 --every 0", "--threads 4000 --duration 1"},
                    Way{"filedesc", "--handles 3 --every 0", "--handles 4000 --duration 1"},
                    Way{"cpu", "--cpu-below 90 --every 1", "--cpu 90 --every 1 --duration 3"},
                    Way{"commit", "--memory-below 100000 --every 0",
                        "--memory 100000 --duration 1"}),
    [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace icecore::tests
