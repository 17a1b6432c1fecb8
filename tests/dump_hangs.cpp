// Windows and processes that hang are dumped, and those that do not are not.
#include <gtest/gtest.h>

#include <future>

#include "support/procdump.h"
#include "support/x_server.h"

namespace icecore::tests {
namespace {

ShellOutput watch(const Scratch& scratch, const Victim& victim, const std::string& options) {
    return shell("timeout 60 " + program() + " dump " + std::to_string(victim.pid()) +
                 " --json --every 0 " + options + " -o " + scratch.file("dump.core") + " 2>&1");
}

TEST(DumpHangsSerial, AWindowThatDoesNotAnswer) {
    const XServer server;
    if (server.display().empty()) GTEST_SKIP() << "there is no Xvfb";
    const std::string display = ":" + server.display();
    Victim victim("hangs", {}, [&] { ::setenv("DISPLAY", display.c_str(), 1); });
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("window " + server.display() + "\n");
    ASSERT_EQ(victim.line(), "ok");
    {
        // Its twin is itself while it answers.
        const Scratch scratch;
        const ShellOutput missed = watch(scratch, victim, "--hung-window 1 --duration 4");
        EXPECT_EQ(missed.status, 1) << missed.text;
        EXPECT_FALSE(std::filesystem::exists(scratch.file("dump.core")));
    }
    victim.tell("deaf\n");
    ASSERT_EQ(victim.line(), "ok");
    const Scratch scratch;
    const ShellOutput met = watch(scratch, victim, "--hung-window 1.5");
    EXPECT_EQ(met.status, 0) << met.text;
    EXPECT_NE(met.text.find("\"trigger\": \"hang\""), std::string::npos) << met.text;
    EXPECT_NE(met.text.find("pane"), std::string::npos) << met.text;
    EXPECT_TRUE(std::filesystem::exists(scratch.file("dump.core")));
    // "Write a Mini dump … when one of its windows is unresponsive for more than 5 seconds".
    const ProcdumpRun procdump;
    const ShellOutput five = procdump.run("-mm -h " + std::to_string(victim.pid()));
    EXPECT_EQ(five.status, 0) << five.text;
    EXPECT_EQ(procdump.written().size(), 1U) << five.text;
}

TEST(DumpHangsSerial, WhereThereIsNoDisplay) {
    Victim victim("hangs", {}, [] { ::unsetenv("DISPLAY"); });
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    const ShellOutput refused = shell("env -u DISPLAY " + program() + " dump " +
                                      std::to_string(victim.pid()) + " --hung-window 1 2>&1");
    EXPECT_EQ(refused.status, 1) << refused.text;
    EXPECT_NE(refused.text.find("DISPLAY"), std::string::npos) << refused.text;
}

TEST(DumpHangsSerial, AProcessThatSleepsForWorkDoesNotHangUntilWorkComes) {
    Victim victim("hangs", {}, [] { ::unsetenv("DISPLAY"); });
    ASSERT_EQ(victim.line(), "ready");
    {
        const Scratch scratch;
        const ShellOutput missed = watch(scratch, victim, "--hung 1 --duration 3");
        EXPECT_EQ(missed.status, 1) << missed.text;
    }
    victim.tell("unread\n");
    ASSERT_EQ(victim.line(), "ok");
    const Scratch scratch;
    const ShellOutput met = watch(scratch, victim, "--hung 1");
    EXPECT_EQ(met.status, 0) << met.text;
    EXPECT_NE(met.text.find("5 bytes wait"), std::string::npos) << met.text;
    EXPECT_TRUE(victim.alive());
}

TEST(DumpHangsSerial, AThreadThatWaitsInTheKernel) {
    Victim victim("hangs", {}, [] { ::unsetenv("DISPLAY"); });
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("vfork 30\n");
    ASSERT_EQ(victim.line(), "ok");
    const Scratch scratch;
    // It cannot be stopped, which is the point; what it was doing is in the dump all the same.
    const ShellOutput met = watch(scratch, victim, "--hung 1 --type mini");
    EXPECT_NE(met.text.find("waits in the kernel"), std::string::npos) << met.text;
    // A stopped process stands still on purpose.
    Victim stopped("hangs", {}, [] { ::unsetenv("DISPLAY"); });
    ASSERT_EQ(stopped.line(), "ready");
    stopped.tell("unread\n");
    ASSERT_EQ(stopped.line(), "ok");
    ::kill(stopped.pid(), SIGSTOP);
    const Scratch twin;
    const ShellOutput missed = watch(twin, stopped, "--hung 1 --duration 3");
    EXPECT_EQ(missed.status, 1) << missed.text;
    for (const pid_t child : childrenOf(victim.pid()))
        ::kill(child, SIGKILL);
}

}  // namespace
}  // namespace icecore::tests
