// A victim program under test: started, listened to, and ended whatever happens.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/text.h"
#include "support/paths.h"

namespace icecore::tests {

/// Generous: a loaded machine under sanitizers is slow, and nobody waits for what is in time.
inline constexpr std::chrono::seconds patience{60};

/// Until `condition` holds; false when it does not within `patience`.
inline bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

inline std::string readText(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The value of "KEY:" in /proc/PID/status.
inline std::string statusValue(pid_t pid, std::string_view key) {
    const std::string status = readText("/proc/" + std::to_string(pid) + "/status");
    for (const std::string_view line : split(status, '\n')) {
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ':')
            return std::string(trim(line.substr(key.size() + 1)));
    }
    return {};
}

/// Pids of a process' children, zombies too.
inline std::vector<pid_t> childrenOf(pid_t pid) {
    std::vector<pid_t> children;
    const std::string number = std::to_string(pid);
    const std::string text = readText("/proc/" + number + "/task/" + number + "/children");
    for (const std::string_view word : splitBlanks(text)) {
        if (const auto child = parseDecimal(word)) children.push_back(static_cast<pid_t>(*child));
    }
    return children;
}

class Victim {
public:
    /// Starts tests/targets/`name`, or a program by its whole path, with arguments; its standard
    /// input and output are pipes to us. `prepare` runs in the child before exec (async-signal-safe
    /// things only).
    explicit Victim(const std::string& name, std::vector<std::string> arguments = {},
                    const std::function<void()>& prepare = {}) {
        int out[2];
        int in[2];
        if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(in, O_CLOEXEC) != 0) return;
        const std::string path = name.starts_with('/') ? name : target(name);
        std::vector<char*> argv{const_cast<char*>(path.c_str())};
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
            if (prepare) prepare();
            ::execv(path.c_str(), argv.data());
            ::_exit(127);
        }
        ::close(out[1]);
        ::close(in[0]);
        output_ = out[0];
        input_ = in[1];
    }
    ~Victim() {
        kill();
        ::close(output_);
        ::close(input_);
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// The next line it prints; empty when none comes.
    std::string line() {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        for (;;) {
            if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
                std::string line = text_.substr(0, end);
                text_.erase(0, end + 1);
                return line;
            }
            pollfd ready{output_, POLLIN, 0};
            if (std::chrono::steady_clock::now() > deadline) return {};
            if (::poll(&ready, 1, 100) <= 0) continue;
            char buffer[4096];
            const ssize_t got = ::read(output_, buffer, sizeof buffer);
            if (got <= 0) return {};
            text_.append(buffer, static_cast<std::size_t>(got));
        }
    }
    /// Lines up to one that is exactly `last`; "KEY VALUE" lines can then be asked for by `value`.
    bool until(std::string_view last) {
        for (std::string next = line(); !next.empty(); next = line()) {
            if (next == last) return true;
            lines_.push_back(next);
        }
        return false;
    }
    [[nodiscard]] std::string value(std::string_view key) const {
        for (const std::string& line : lines_) {
            if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
                return line.substr(key.size() + 1);
        }
        return {};
    }
    [[nodiscard]] std::uint64_t number(std::string_view key) const {
        return parseNumber(value(key)).value_or(0);
    }

    void tell(std::string_view text) const { (void)!::write(input_, text.data(), text.size()); }
    void closeInput() {
        ::close(input_);
        input_ = -1;
    }

    [[nodiscard]] bool alive() const {
        siginfo_t ended{};
        return pid_ > 0 &&
               ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               ended.si_pid == 0;
    }
    /// Waits for its end; the wait status, or -1 when it does not end.
    int wait() {
        int status = -1;
        if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
        pid_ = -1;
        return status;
    }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
    }

private:
    pid_t pid_ = -1;
    int output_ = -1, input_ = -1;
    std::string text_;
    std::vector<std::string> lines_;
};

}  // namespace icecore::tests
