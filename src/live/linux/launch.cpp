#include "live/launch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "bytes/descriptor_posix.h"

namespace icecore::live {

namespace {

class LinuxLaunchedProcess final : public LaunchedProcess {
public:
    LinuxLaunchedProcess(std::string name, pid_t pid, Descriptor go, Descriptor failure)
        : name_(std::move(name)), pid_(pid), go_(std::move(go)), failure_(std::move(failure)) {}
    ~LinuxLaunchedProcess() override {
        const bool waits = go_.valid();
        go_.reset();  // it ends when nobody can tell it to go any more
        ::waitpid(pid_, nullptr, waits ? 0 : WNOHANG);
    }
    [[nodiscard]] std::uint64_t pid() const override { return static_cast<std::uint64_t>(pid_); }

    Result<void> start() override {
        const char go = 1;
        if (::write(go_.get(), &go, 1) != 1) return failErrno(errno, "cannot be started", name_);
        go_.reset();
        // exec closes the other end; otherwise the reason comes through it.
        int error = 0;
        ssize_t got = 0;
        do
            got = ::read(failure_.get(), &error, sizeof error);
        while (got < 0 && errno == EINTR);
        if (got != sizeof error) return {};
        // Not waited for here: its tracer may still hold it in its last moment.
        return failErrno(error, "cannot be started", name_);
    }

private:
    std::string name_;
    pid_t pid_;
    Descriptor go_, failure_;
};

}  // namespace

Result<std::unique_ptr<LaunchedProcess>> launch(const std::vector<std::string>& arguments) {
    if (arguments.empty()) return fail(Errc::usage, "no program is named");
    std::vector<std::string> copy = arguments;
    std::vector<char*> pointers;
    pointers.reserve(copy.size() + 1);
    for (std::string& argument : copy)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);

    int go[2];
    int failure[2];
    if (::pipe2(go, O_CLOEXEC) != 0) return failErrno(errno, "cannot make a pipe");
    Descriptor goRead(go[0]);
    Descriptor goWrite(go[1]);
    if (::pipe2(failure, O_CLOEXEC) != 0) return failErrno(errno, "cannot make a pipe");
    Descriptor failureRead(failure[0]);
    Descriptor failureWrite(failure[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return failErrno(errno, "cannot start a process");
    if (pid == 0) {
        ::close(go[1]);
        ::close(failure[0]);
        ::setsid();
        // What we handle or ignore is our own affair.
        for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP})
            ::signal(number, SIG_DFL);
        char byte = 0;
        ssize_t got = 0;
        do
            got = ::read(go[0], &byte, 1);
        while (got < 0 && errno == EINTR);
        if (got == 1) {
            ::execvp(pointers[0], pointers.data());
            const int error = errno;
            (void)!::write(failure[1], &error, sizeof error);
        }
        ::_exit(127);
    }
    return std::unique_ptr<LaunchedProcess>(std::make_unique<LinuxLaunchedProcess>(
        arguments.front(), pid, std::move(goWrite), std::move(failureRead)));
}

}  // namespace icecore::live
