// `icecore open` as a person meets it: prompt, completion, ^C, history.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "open_core.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;

/// icecore on a terminal of its own.
class Terminal {
public:
    explicit Terminal(const CrasherCore& core) {
        const std::string path = program();
        winsize size{40, 200, 0, 0};
        pid_ = ::forkpty(&descriptor_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            ::setenv("XDG_STATE_HOME", core.folder().c_str(), 1);
            ::setenv("TERM", "xterm", 1);
            ::execl(path.c_str(), path.c_str(), "open", core.path().c_str(), nullptr);
            ::_exit(127);
        }
    }
    ~Terminal() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(descriptor_);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void type(std::string_view text) {
        seen_.clear();
        EXPECT_EQ(::write(descriptor_, text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
    }
    /// Reads until `text` was shown since the last thing typed.
    bool shows(std::string_view text) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (seen_.find(text) == std::string::npos) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            pollfd ready{descriptor_, POLLIN, 0};
            if (::poll(&ready, 1, 100) <= 0) continue;
            char piece[65536];
            const ssize_t got = ::read(descriptor_, piece, sizeof piece);
            if (got <= 0) return false;
            seen_.append(piece, static_cast<std::size_t>(got));
        }
        return true;
    }
    /// Exit status, when it ends by itself.
    int wait() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        int status = 0;
        while (::waitpid(pid_, &status, WNOHANG) == 0) {
            if (std::chrono::steady_clock::now() > deadline) return -1;
            // Takes what it prints, so that it can end.
            pollfd ready{descriptor_, POLLIN, 0};
            char piece[4096];
            if (::poll(&ready, 1, 10) > 0 && ::read(descriptor_, piece, sizeof piece) < 0 &&
                errno != EIO)
                return -1;
        }
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] const std::string& seen() const { return seen_; }

private:
    int descriptor_ = -1;
    pid_t pid_ = -1;
    std::string seen_;
};

TEST(OpenTerminal, PromptCompletionInterruptAndHistory) {
    const CrasherCore core;
    ASSERT_TRUE(core.made());
    {
        Terminal terminal(core);
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
