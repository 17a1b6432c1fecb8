#include "kit/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/text.h"

namespace icecore::bench {

namespace {

std::string readAll(int descriptor) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t got; (got = read(descriptor, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(got));
    return text;
}

/// The child's part: between fork and exec.
[[noreturn]] void execute(const std::vector<char*>& arguments, int output) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    dprintf(STDERR_FILENO, "%s: %s", arguments[0], std::strerror(errno));
    _exit(127);
}

}  // namespace

Run run(const Command& command) {
    Run result;
    std::array<int, 2> pipe{};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) return result;

    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    unsetenv("DEBUGINFOD_URLS");

    // Not posix_spawn: its child runs in our memory until it executes the program, and the kernel
    // counts the most that we ever held as the child's peak. After fork it is what we hold now.
    const auto start = std::chrono::steady_clock::now();
    const pid_t child = fork();
    if (child == 0) execute(arguments, pipe[1]);
    close(pipe[1]);
    if (child < 0) {
        close(pipe[0]);
        result.output = fmt::format("{}: {}", command[0], std::strerror(errno));
        return result;
    }
    result.output = readAll(pipe[0]);
    close(pipe[0]);
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.succeeded = result.status == 0;
    result.peakResident = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    return result;
}

bool installed(std::string_view program) {
    const char* path = std::getenv("PATH");
    for (const std::string_view folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
        if (access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0) return true;
    }
    return false;
}

std::string firstInstalled(const std::vector<std::string>& programs) {
    for (const std::string& program : programs) {
        if (installed(program)) return program;
    }
    return {};
}

std::string versionOf(const std::string& program) {
    const Run said = run({program, "--version"});
    for (const std::string_view line : split(said.output, '\n')) {
        std::string_view version;
        for (std::string_view word : splitBlanks(line)) {
            if (word.starts_with("v")) word.remove_prefix(1);
            word = word.substr(0, word.find_last_of("0123456789") + 1);
            if (word.find_first_of("0123456789") == 0 && word.find('.') != std::string_view::npos)
                version = word;
        }
        if (!version.empty()) return fmt::format("{} {}", program, version);
    }
    return program;
}

ScratchDirectory::ScratchDirectory(const std::filesystem::path& near) {
    std::error_code ignored;
    std::filesystem::create_directories(near, ignored);
    std::string name = near / "icecore-bench-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string ScratchDirectory::operator/(std::string_view name) const {
    return path_ / name;
}

std::uint64_t allocatedBytes(const std::string& path) {
    struct stat info{};
    return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

std::uint64_t fileBytes(const std::string& path) {
    struct stat info{};
    return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::string makeCold(const std::vector<std::string>& files) {
    sync();
    if (std::ofstream drop("/proc/sys/vm/drop_caches"); drop << 3 << std::flush)
        return "page cache of the whole machine dropped";
    for (const std::string& file : files) {
        const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
        close(descriptor);
    }
    return "the dump and its program dropped from the page cache (not root)";
}

}  // namespace icecore::bench
