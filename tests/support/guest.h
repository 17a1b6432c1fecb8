// A Linux machine in QEMU (without KVM, which test machines rarely have), for tests of RAM images.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {

/// Kernel and initramfs; a reason instead where that is not possible.
struct GuestFiles {
    std::string kernel, initramfs, problem;
};

/// Made once for each build directory and kernel: the one that apt's package `kernel` depends on.
/// With `extra` files in the guest's /bin (one called "autorun" is run) an initramfs of its own is
/// made in the folder `own`.
inline GuestFiles guestFiles(const std::vector<std::string>& extra = {},
                             const std::string& own = {},
                             const std::string& kernel = "linux-image-amd64") {
    GuestFiles files;
    if (shell("command -v qemu-system-x86_64 >/dev/null").status != 0) {
        files.problem = "qemu-system-x86_64 is missing";
        return files;
    }
    const std::string folder =
        std::filesystem::path(program()).parent_path().string() + "/guest/" + kernel;
    const std::string make = sourceFile("tools/guest.sh") + " -k " + kernel + " ";
    // One at a time: test programs run side by side.
    std::filesystem::create_directories(folder);
    const auto made = shell("flock " + folder + "/lock " + make + folder + " 2>&1");
    files.kernel = folder + "/vmlinuz";
    files.initramfs = folder + "/initramfs.gz";
    if (made.status != 0) {
        files.problem = "no guest can be made: " + made.text;
        return files;
    }
    if (extra.empty()) return files;
    std::string command = "mkdir -p " + own + " && cp -r " + folder + "/modules " + folder +
                          "/modules.list " + files.kernel + " " + own + " && " + make + own;
    for (const std::string& file : extra)
        command += " " + file;
    if (const auto added = shell(command + " 2>&1"); added.status != 0)
        files.problem = "no guest can be made: " + added.text;
    files.initramfs = own + "/initramfs.gz";
    return files;
}

/// Runs until it is destroyed.
class Guest {
public:
    explicit Guest(const GuestFiles& files, const std::vector<std::string>& extra = {},
                   const std::string& commandLine = {})
        : console_(scratch_.file("console")), control_(scratch_.file("qmp")) {
        std::vector<std::string> arguments = {"qemu-system-x86_64",
                                              "-accel",
                                              "tcg",
                                              "-display",
                                              "none",
                                              "-no-reboot",
                                              "-kernel",
                                              files.kernel,
                                              "-initrd",
                                              files.initramfs,
                                              "-append",
                                              "console=ttyS0 quiet no_timer_check " + commandLine,
                                              "-serial",
                                              "file:" + console_,
                                              "-monitor",
                                              "none",
                                              "-qmp",
                                              "unix:" + control_ + ",server=on,wait=off",
                                              "-device",
                                              "vmcoreinfo"};
        arguments.insert(arguments.end(), extra.begin(), extra.end());
        std::vector<char*> argv;
        argv.reserve(arguments.size() + 1);
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            const int null = ::open("/dev/null", O_RDWR);
            if (null < 0) ::_exit(127);
            ::dup2(null, 0);
            ::dup2(null, 1);
            ::dup2(null, 2);
            ::execvp(argv[0], argv.data());
            ::_exit(127);
        }
    }
    ~Guest() {
        if (connection_ >= 0) ::close(connection_);
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    /// Waits for the guest's shell.
    bool ready() {
        for (int minute = 0; minute < 4; ++minute) {
            if (eventually(
                    [&] { return readText(console_).find("guest ready") != std::string::npos; }))
                return connect();
        }
        return false;
    }
    /// What it has printed so far.
    [[nodiscard]] std::string console() const { return readText(console_); }
    /// The path of its control socket, for another to talk to once this end is `disconnect`ed.
    [[nodiscard]] const std::string& control() const { return control_; }
    void disconnect() {
        ::close(connection_);
        connection_ = -1;
    }
    bool reconnect() {
        text_.clear();
        return connect();
    }
    /// Runs a QMP command; its answer, empty when there is none.
    std::string command(const std::string& json) {
        const std::string line = json + "\n";
        if (::write(connection_, line.data(), line.size()) < 0) return {};
        for (;;) {
            const std::string answer = answerLine();
            if (answer.empty() || answer.starts_with("{\"return\"") ||
                answer.starts_with("{\"error\""))
                return answer;
        }
    }

private:
    bool connect() {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (control_.size() >= sizeof address.sun_path) return false;
        std::memcpy(address.sun_path, control_.c_str(), control_.size() + 1);
        connection_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(connection_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            return false;
        return answerLine().find("QMP") != std::string::npos &&
               command(R"({"execute":"qmp_capabilities"})").starts_with("{\"return\"");
    }
    std::string answerLine() {
        for (;;) {
            if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
                std::string line = text_.substr(0, end);
                text_.erase(0, end + 1);
                return line;
            }
            char buffer[4096];
            const ssize_t got = ::read(connection_, buffer, sizeof buffer);
            if (got <= 0) return {};
            text_.append(buffer, static_cast<std::size_t>(got));
        }
    }

    Scratch scratch_;
    std::string console_, control_;
    pid_t pid_ = -1;
    int connection_ = -1;
    std::string text_;
};

}  // namespace icecore::tests
