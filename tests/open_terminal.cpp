// `icecore open` as a person meets it: prompt, completion, ^C, history.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "open_core.h"
#include "support/terminal.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;

TEST(OpenTerminalSerial, PromptCompletionInterruptAndHistory) {
    const CrasherCore core;
    ASSERT_TRUE(core.made());
    {
        Terminal terminal({program(), "open", core.path()}, {{"XDG_STATE_HOME", core.folder()}});
        ASSERT_TRUE(terminal.shows("0:000> ")) << terminal.seen();
        EXPECT_THAT(terminal.seen(), HasSubstr("SIGSEGV"));

        terminal.type(".laste\t\r");
        EXPECT_TRUE(terminal.shows("Last event:")) << terminal.seen();
        ASSERT_TRUE(terminal.shows("0:000> "));

        // ^C while a line is typed drops the line and nothing else.
        terminal.type("q\x03");
        EXPECT_TRUE(terminal.shows("^C")) << terminal.seen();
        ASSERT_TRUE(terminal.shows("0:000> "));

        // An empty line does the last thing again.
        terminal.type("? 1+1\r");
        EXPECT_TRUE(terminal.shows("= 00000000`00000002")) << terminal.seen();
        ASSERT_TRUE(terminal.shows("0:000> "));
        terminal.type("\r");
        EXPECT_TRUE(terminal.shows("= 00000000`00000002")) << terminal.seen();

        // ^C while a command runs ends the command, not the program.
        terminal.type("db 0 L?ffffffffff\r");
        ASSERT_TRUE(terminal.shows("????????????????"));
        terminal.type("\x03");
        EXPECT_TRUE(terminal.shows("interrupted"));
        terminal.type(".echo still here\r");
        EXPECT_TRUE(terminal.shows("\nstill here"));

        terminal.type("q\r");
        EXPECT_EQ(terminal.wait(), 0);
    }
    struct stat history{};
    ASSERT_EQ(::stat((core.folder() + "/icecore/history").c_str(), &history), 0);
    EXPECT_EQ(history.st_mode & 0777U, 0600U);
    EXPECT_THAT(shell("cat " + core.folder() + "/icecore/history").text, HasSubstr(".lastevent"));
}

}  // namespace
}  // namespace icecore::tests
