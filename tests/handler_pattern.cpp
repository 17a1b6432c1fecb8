// `icecore handler` puts its pattern there and takes it away again: on files that stand in for the
// kernel's, so that the system's own handler is left alone.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

class HandlerPattern : public testing::Test {
protected:
    HandlerPattern() { set("|/usr/lib/systemd/systemd-coredump %P", "16"); }

    void set(const std::string& pattern, const std::string& limit) {
        std::ofstream(scratch.file("core_pattern")) << pattern << "\n";
        std::ofstream(scratch.file("core_pipe_limit")) << limit << "\n";
    }
    [[nodiscard]] std::string pattern() const { return readText(scratch.file("core_pattern")); }
    [[nodiscard]] ShellOutput handler(const std::string& arguments) const {
        return shell(program() + " handler " + arguments + " --root " + scratch.file("r") +
                     " --sysctl " + scratch.file("") + " 2>&1");
    }
    [[nodiscard]] std::string inCharge() const {
        const auto json = nlohmann::json::parse(handler("status --json").text, nullptr, false);
        return json.value("in_charge", "");
    }
    const Scratch scratch;
};

TEST_F(HandlerPattern, IsRestoredExactly) {
    EXPECT_EQ(inCharge(), "systemd-coredump");
    const auto installed = handler("install --keep 3");
    ASSERT_EQ(installed.status, 0) << installed.text;
    EXPECT_TRUE(pattern().starts_with("|" + program() + " handler receive --root "));
    EXPECT_LE(pattern().size(), 128U);
    EXPECT_EQ(readText(scratch.file("core_pipe_limit")), "64\n");
    EXPECT_EQ(inCharge(), "icecore");
    // Once more over ourselves: what was there first is what comes back.
    EXPECT_EQ(handler("install --keep 5").status, 0);
    EXPECT_EQ(handler("uninstall").status, 0);
    EXPECT_EQ(pattern(), "|/usr/lib/systemd/systemd-coredump %P\n");
    EXPECT_EQ(readText(scratch.file("core_pipe_limit")), "16\n");
    EXPECT_EQ(handler("uninstall").status, 1);
}

TEST_F(HandlerPattern, OfSomebodyElseIsLeftAlone) {
    ASSERT_EQ(handler("install").status, 0);
    set("|/usr/share/apport/apport %p", "10");
    EXPECT_EQ(inCharge(), "apport");
    const auto refused = handler("uninstall");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.text.find("apport"), std::string::npos) << refused.text;
    EXPECT_EQ(pattern(), "|/usr/share/apport/apport %p\n");
    EXPECT_EQ(readText(scratch.file("core_pipe_limit")), "10\n");
}

TEST_F(HandlerPattern, OurLimitIsNotTakenForSomebodyElses) {
    ASSERT_EQ(handler("install").status, 0);
    // Another handler comes, which leaves the limit as we had made it; then we come again.
    std::ofstream(scratch.file("core_pattern")) << "|/usr/share/apport/apport %p\n";
    ASSERT_EQ(handler("install").status, 0);
    ASSERT_EQ(handler("uninstall").status, 0);
    EXPECT_EQ(pattern(), "|/usr/share/apport/apport %p\n");
    EXPECT_EQ(readText(scratch.file("core_pipe_limit")), "16\n");
}

TEST_F(HandlerPattern, TellsWhoIsInCharge) {
    const std::pair<std::string, std::string> cases[] = {
        {"core", "file"},
        {"", "nobody"},
        {"|/bin/false", "nobody"},
        {"@/run/coredump", "socket"},
        {"|/usr/libexec/abrt-hook-ccpp %s", "abrt"},
        {"|/opt/mine %p", "program"}};
    for (const auto& [text, who] : cases) {
        set(text, "0");
        EXPECT_EQ(inCharge(), who) << text;
    }
}

}  // namespace
}  // namespace icecore::tests
