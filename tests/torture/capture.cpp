// Captured again and again, and icecore killed at any moment: the target notices nothing, every
// dump that was finished opens, and nothing stays behind.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "formats/format.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

constexpr int rounds = 200;

pid_t startDump(pid_t target, const std::string& output, const char* mode, const char* type) {
    const std::string path = program(), pid = std::to_string(target);
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return -1;
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(nowhere, 1);
        ::dup2(nowhere, 2);
        ::execl(path.c_str(), path.c_str(), "dump", pid.c_str(), "-o", output.c_str(), "--snapshot",
                mode, "--type", type, static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(nowhere);
    return child;
}

bool atRest(pid_t pid) {
    const std::string state = statusValue(pid, "State");
    return statusValue(pid, "TracerPid") == "0" && !state.starts_with('t') &&
           !state.starts_with('T');
}

/// Which victim, how it is frozen, what is saved.
class Tortured : public testing::TestWithParam<std::tuple<const char*, const char*, const char*>> {
};
INSTANTIATE_TEST_SUITE_P(
    Capture, Tortured,
    testing::Combine(testing::Values("capture_state calls", "capture_state signals",
                                     "capture_threads churn", "capture_memory resident"),
                     testing::Values("clone", "stop"), testing::Values("mini", "full")));

TEST_P(Tortured, GoesOnWhateverHappensToUs) {
    const auto [victimAndPart, mode, type] = GetParam();
    const auto words = split(victimAndPart, ' ');
    Victim victim(std::string(words[0]), {std::string(words[1]), "16"});
    ASSERT_TRUE(victim.until("ready"));
    const Scratch scratch;
    std::mt19937 random(1);
    // The longest that a dump takes here, so that the kills fall into every part of one.
    const auto began = std::chrono::steady_clock::now();
    int status = 0;
    ASSERT_GT(::waitpid(startDump(victim.pid(), scratch.file("first"), mode, type), &status, 0), 0);
    ASSERT_EQ(status, 0);
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - began);
    std::uniform_int_distribution<std::int64_t> moment(0, whole.count());

    int finished = 0;
    for (int round = 0; round < rounds; ++round) {
        const std::string output = scratch.file(fmt::format("{}.dump", round));
        const pid_t dump = startDump(victim.pid(), output, mode, type);
        ASSERT_GT(dump, 0);
        if (round % 2 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(moment(random)));
            ::kill(dump, SIGKILL);
        }
        ASSERT_EQ(::waitpid(dump, &status, 0), dump);
        ASSERT_TRUE(eventually([&] { return atRest(victim.pid()); }))
            << "round " << round << ": " << statusValue(victim.pid(), "State");
        if (round % 2 == 1) {
            ASSERT_EQ(status, 0) << "round " << round;
        }
        // A name that is there is a whole dump.
        if (!std::filesystem::exists(output)) continue;
        ++finished;
        const auto snapshot = openDump(output);
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        EXPECT_FALSE(snapshot->issues.lossy());
        EXPECT_GE(snapshot->process->threads.size(), 1U);
        std::filesystem::remove(output);
    }
    EXPECT_GE(finished, rounds / 2);
    ASSERT_TRUE(victim.alive());
    if (words[0] == "capture_state") {
        victim.closeInput();
        EXPECT_EQ(victim.line(), "ok");
    }
    EXPECT_TRUE(eventually([&] { return !victim.alive() || childrenOf(victim.pid()).empty(); }));
}

}  // namespace
}  // namespace icecore::tests
