// An X server without a screen, for the time of a test.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "support/victim.h"

namespace icecore::tests {

class XServer {
public:
    XServer() {
        int said[2];
        if (::pipe2(said, O_CLOEXEC) != 0) return;
        pid_ = ::fork();
        if (pid_ == 0) {
            constexpr int number = 7;  // where it tells its display
            ::dup2(said[1], number);
            const int nowhere = ::open("/dev/null", O_RDWR);
            if (nowhere < 0) ::_exit(127);
            ::dup2(nowhere, 1);
            ::dup2(nowhere, 2);
            ::execlp("Xvfb", "Xvfb", "-displayfd", "7", "-screen", "0", "320x200x24", "-nolisten",
                     "tcp", "-noreset", static_cast<char*>(nullptr));
            ::_exit(127);
        }
        ::close(said[1]);
        pollfd ready{said[0], POLLIN, 0};
        char text[16] = {};
        if (::poll(&ready, 1, 60'000) > 0 && ::read(said[0], text, sizeof text - 1) > 0)
            display_ = text;
        while (!display_.empty() && display_.back() == '\n')
            display_.pop_back();
        ::close(said[0]);
    }
    ~XServer() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    XServer(const XServer&) = delete;
    XServer& operator=(const XServer&) = delete;

    /// Its number; empty where there is no Xvfb.
    [[nodiscard]] const std::string& display() const { return display_; }

private:
    pid_t pid_ = -1;
    std::string display_;
};

}  // namespace icecore::tests
