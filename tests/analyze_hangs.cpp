// Processes that stand still: a deadlock is proven, a healthy process is called healthy. The dumps
// are icecore's own, of both formats.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/scratch.h"
#include "support/victim.h"

namespace icecore {
namespace {

using Json = nlohmann::json;
using tests::Scratch;
using tests::shell;

std::vector<std::string> threadsOf(pid_t pid) {
    std::vector<std::string> ids;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", ignored))
        ids.push_back(entry.path().filename());
    return ids;
}

/// Until `count` threads exist and every one sleeps.
bool settled(pid_t pid, std::size_t count) {
    return tests::eventually([&] {
        const auto ids = threadsOf(pid);
        return ids.size() == count && std::ranges::all_of(ids, [&](const std::string& id) {
                   const std::string stat =
                       tests::readText("/proc/" + std::to_string(pid) + "/task/" + id + "/stat");
                   const auto end = stat.rfind(") ");
                   return end != std::string::npos && stat.substr(end + 2, 1) == "S";
               });
    });
}

Json dumpAndAnalyze(pid_t pid, const std::string& path, const std::string& options) {
    const auto dumped = shell(tests::program() + " dump " + std::to_string(pid) + " -o " + path +
                              " " + options + " 2>&1");
    EXPECT_TRUE(dumped.status == 0 || dumped.status == 3) << dumped.text;
    const auto analyzed = shell(tests::program() + " analyze --json " + path + " 2>&1");
    EXPECT_TRUE(analyzed.status == 0 || analyzed.status == 3) << analyzed.text;
    Json json = Json::parse(analyzed.text, nullptr, false);
    EXPECT_TRUE(json.is_object()) << analyzed.text;
    return json;
}

class AnalyzeHangs : public testing::TestWithParam<std::string> {};

TEST_P(AnalyzeHangs, TwoMutexesTakenCrosswiseAreADeadlock) {
    const Scratch scratch;
    for (int run = 0; run < 2; ++run) {
        tests::Victim victim("analyze_hangs", {"deadlock"});
        ASSERT_EQ(victim.line(), "ready");
        ASSERT_TRUE(settled(victim.pid(), 3));
        const Json json = dumpAndAnalyze(
            victim.pid(), scratch.file(std::to_string(run) + "." + GetParam()), "--type full");
        ASSERT_TRUE(json.is_object());
        SCOPED_TRACE(json["verdict"].dump(2) + json["findings"].dump(2));
        EXPECT_FALSE(json.contains("exception"));
        const Json& verdict = json["verdict"];
        EXPECT_EQ(verdict["healthy"], false);
        // Of the two places the first by name, whichever thread the kernel lists first.
        EXPECT_EQ(verdict["bucket"], "DEADLOCK_analyze_hangs!take_first");
        ASSERT_FALSE(json["findings"].empty());
        const Json& finding = json["findings"][0];
        EXPECT_EQ(finding["confidence"], "certain");
        const std::string claim = finding["claim"];
        EXPECT_NE(claim.find("Deadlock"), std::string::npos);
        EXPECT_NE(claim.find("(left)"), std::string::npos);
        EXPECT_NE(claim.find("(right)"), std::string::npos);
        EXPECT_EQ(finding["evidence"].size(), 2U);
    }
}

TEST_P(AnalyzeHangs, SleepersAreHealthyAndSayWhereTheyWait) {
    const Scratch scratch;
    tests::Victim victim("analyze_hangs", {"sleepers"});
    ASSERT_EQ(victim.line(), "ready");
    ASSERT_TRUE(settled(victim.pid(), 5));
    const std::string path = scratch.file("sleepers." + GetParam());
    const Json json = dumpAndAnalyze(victim.pid(), path, "");
    ASSERT_TRUE(json.is_object());
    SCOPED_TRACE(json["verdict"].dump(2));
    EXPECT_EQ(json["verdict"]["healthy"], true);
    EXPECT_EQ(json["verdict"]["bucket"], "NO_EXCEPTION_analyze_hangs");
    const std::string summary = json["verdict"]["summary"];
    EXPECT_NE(summary.find("No exception is recorded"), std::string::npos);
    EXPECT_NE(summary.find("5 threads: 4 waiting on a condition variable"), std::string::npos);
    EXPECT_NE(summary.find("1 waiting for a signal"), std::string::npos);
    EXPECT_EQ(json["threads"].size(), 5U);
    for (const Json& thread : json["threads"]) {
        EXPECT_EQ(thread["crashed"], false);
        EXPECT_TRUE(thread["activity"].get<std::string>().starts_with("waiting")) << thread;
    }
    // The four stand at one place: the text shows their stack once.
    const std::string text = shell(tests::program() + " analyze " + path).text;
    EXPECT_NE(text.find("4 threads at the same place"), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Formats, AnalyzeHangs, testing::Values("core", "dmp"),
                         [](const testing::TestParamInfo<std::string>& each) {
                             return each.param;
                         });

}  // namespace
}  // namespace icecore
