// A program that has caught its own crash and stands in its handler: the dump records no exception,
// and the verdict is still that of the crash.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/paths.h"
#include "support/victim.h"

namespace icecore {
namespace {

using Json = nlohmann::json;

std::string outputOf(const std::string& command) {
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return text;
    char buffer[4096];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
        text.append(buffer, got);
    pclose(pipe);
    return text;
}

class CaughtCrash : public testing::TestWithParam<const char*> {};

TEST_P(CaughtCrash, IsJudgedLikeOneThatWasNotCaught) {
    tests::Victim victim("crasher", {"--wait"});
    ASSERT_EQ(victim.line(), "crashed");
    const std::string dump =
        testing::TempDir() + "caught-" + std::to_string(victim.pid()) + GetParam();
    const std::string said = outputOf(tests::program() + " dump --type full -o " + dump + " " +
                                      std::to_string(victim.pid()) + " 2>&1");
    ASSERT_TRUE(std::filesystem::exists(dump)) << said;
    const std::string text = outputOf(tests::program() + " analyze --json " + dump);
    std::filesystem::remove(dump);

    const Json json = Json::parse(text, nullptr, false);
    ASSERT_TRUE(json.is_object()) << text;
    EXPECT_EQ(json["exception"]["name"], "SIGSEGV");
    EXPECT_EQ(json["exception"]["access"], "read");
    EXPECT_EQ(json["exception"]["fault_address"], "0x0");
    EXPECT_EQ(json["verdict"]["symbol_name"], "crasher!shop::sum_of_ids");
    EXPECT_TRUE(victim.alive());
    for (const Json& thread : json["threads"]) {
        if (thread["crashed"] != true) continue;
        EXPECT_EQ(thread["id"], json["exception"]["thread"]);
        EXPECT_EQ(thread["frames"][0]["function"], "shop::sum_of_ids");
        return;
    }
    FAIL() << "no thread is marked as crashed";
}

INSTANTIATE_TEST_SUITE_P(Formats, CaughtCrash, testing::Values(".core", ".dmp"));

}  // namespace
}  // namespace icecore
