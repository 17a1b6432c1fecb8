// A program as a person meets it: on a terminal of its own.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/victim.h"

namespace icecore::tests {

class Terminal {
public:
    /// Starts the program with its arguments (`command[0]` is its path) and these settings in its
    /// environment, on 40 lines of 200 columns.
    explicit Terminal(std::vector<std::string> command,
                      const std::vector<std::pair<std::string, std::string>>& settings = {}) {
        std::vector<char*> argv;
        argv.reserve(command.size() + 1);
        for (std::string& word : command)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        winsize size{40, 200, 0, 0};
        pid_ = ::forkpty(&descriptor_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            ::setenv("TERM", "xterm", 1);
            for (const auto& [name, value] : settings)
                ::setenv(name.c_str(), value.c_str(), 1);
            ::execv(argv[0], argv.data());
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
        found_ = 0;
        EXPECT_EQ(::write(descriptor_, text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
    }
    /// Reads until `text` was shown since the last thing typed, behind what was asked for last: a
    /// line that is edited shows its prompt again and again, and only one behind the answer means
    /// that the command is done.
    bool shows(std::string_view text) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        std::size_t at = 0;
        while ((at = seen_.find(text, found_)) == std::string::npos) {
            if (std::chrono::steady_clock::now() > deadline || !take(100)) return false;
        }
        found_ = at + text.size();
        return true;
    }
    /// Exit status, when it ends by itself; what it shows until then is seen.
    int wait() {
        int status = 0;
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (::waitpid(pid_, &status, WNOHANG) == 0) {
            if (std::chrono::steady_clock::now() > deadline) return -1;
            (void)take(10);
        }
        pid_ = -1;
        while (take(0)) {
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] const std::string& seen() const { return seen_; }

private:
    /// Takes what is shown within some milliseconds; false when nothing more can come.
    bool take(int milliseconds) {
        pollfd ready{descriptor_, POLLIN, 0};
        const int polled = ::poll(&ready, 1, milliseconds);
        if (polled <= 0) return milliseconds > 0;
        char piece[65536];
        const ssize_t got = ::read(descriptor_, piece, sizeof piece);
        if (got <= 0) return false;
        seen_.append(piece, static_cast<std::size_t>(got));
        return true;
    }

    int descriptor_ = -1;
    pid_t pid_ = -1;
    std::string seen_;
    std::size_t found_ = 0;  ///< the end of what `shows` found last
};

}  // namespace icecore::tests
