// Writing and restoring /proc/sys/kernel/core_pattern, core(5).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "app/handler_verb.h"
#include "base/text.h"
#include "bytes/descriptor_posix.h"
#include "live/linux/proc.h"

namespace icecore::app::handler {

namespace fs = std::filesystem;

namespace {

/// CORENAME_MAX_SIZE of the kernel is 128, with the NUL.
constexpr std::size_t maxPattern = 127;
/// How many processes may wait for their receivers; others die without a dump. Above zero, since
/// with zero the kernel does not wait, and /proc/PID is gone while we read it.
constexpr std::uint64_t pipeLimit = 64;

Result<std::string> readSetting(const fs::path& path) {
    ASSIGN_OR_RETURN(std::string line, live::readProc(path.string()));
    if (line.ends_with('\n')) line.pop_back();
    return line;
}

Result<void> writeSetting(const fs::path& path, std::string_view value) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (!file.valid()) return failErrno(errno, "cannot open", path.string());
    const std::string line = std::string(value) + "\n";
    if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return failErrno(errno, "cannot write", path.string());
    return {};
}

fs::path patternFile(const Places& places) {
    return places.sysctl / "core_pattern";
}
fs::path limitFile(const Places& places) {
    return places.sysctl / "core_pipe_limit";
}

Result<std::string> ownProgram() {
    std::string program = live::readLink("/proc/self/exe");
    if (program.empty()) return failErrno(errno, "cannot tell where icecore is");
    struct stat info{};
    if (::stat(program.c_str(), &info) != 0) return failErrno(errno, "cannot examine", program);
    // The kernel will run it as root, for every crash.
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(Errc::permission,
                    "others than its owner may write to it: the kernel must not "
                    "run it as root",
                    program);
    return program;
}

/// The kernel cuts the words at blanks, before it puts values in.
Result<std::string> makePattern(const Places& places) {
    ASSIGN_OR_RETURN(const std::string program, ownProgram());
    std::string words = program + " handler receive";
    if (places.root != "/") words += " --root " + places.root.string();
    if (words.find('%') != std::string::npos || program.find(' ') != std::string::npos ||
        places.root.string().find(' ') != std::string::npos)
        return fail(Errc::unsupported, "the kernel takes no path with blanks or per cent signs",
                    program);
    std::string pattern = "|" + words + " %P %p %s %t %d";
    if (pattern.size() > maxPattern)
        return fail(Errc::limit,
                    fmt::format("the kernel takes {} letters, and `{}` has {}: install icecore "
                                "under a shorter path",
                                maxPattern, pattern, pattern.size()));
    return pattern;
}

std::string whoHandles(const std::string& pattern) {
    if (pattern.empty() || pattern == "/dev/null" || pattern == "|/bin/false" ||
        pattern == "|/usr/bin/false")
        return "nobody";
    if (pattern.starts_with('@')) return "socket";
    if (!pattern.starts_with('|')) return "file";
    const auto has = [&](std::string_view word) { return pattern.find(word) != std::string::npos; };
    if (has("icecore") && has("handler receive")) return "icecore";
    if (has("systemd-coredump")) return "systemd-coredump";
    if (has("apport")) return "apport";
    if (has("abrt")) return "abrt";
    return "program";
}

Result<void> makeFolder(const fs::path& folder) {
    std::error_code error;
    const bool made = fs::create_directories(folder, error);
    if (error) return failErrno(error.value(), "cannot create", folder.string());
    if (made && ::chmod(folder.c_str(), 0700) != 0)
        return failErrno(errno, "cannot protect", folder.string());
    if (!fs::is_directory(folder, error))
        return fail(Errc::usage, "is not a directory", folder.string());
    return {};
}

}  // namespace

Result<void> install(const Places& places, Settings settings) {
    ASSIGN_OR_RETURN(const std::string before, readSetting(patternFile(places)));
    ASSIGN_OR_RETURN(const std::string limit, readSetting(limitFile(places)));
    ASSIGN_OR_RETURN(settings.pattern, makePattern(places));
    settings.previousPattern = before;
    settings.previousPipeLimit = limit;
    // Installed over ourselves: what was there before us is what counts. A limit that is still ours
    // counts as little, also when somebody else has put a pattern of theirs there since.
    if (const auto old = Settings::read(places.state())) {
        if (old->pattern == before) settings.previousPattern = old->previousPattern;
        if (limit == std::to_string(pipeLimit)) settings.previousPipeLimit = old->previousPipeLimit;
    }
    TRY(makeFolder(settings.folder));
    TRY(makeFolder(places.state().parent_path()));
    TRY(replaceFile(places.state(), settings.json().dump(2) + "\n"));
    if (parseDecimal(limit).value_or(0) < pipeLimit)
        TRY(writeSetting(limitFile(places), std::to_string(pipeLimit)));
    const auto written = writeSetting(patternFile(places), settings.pattern);
    const auto now = readSetting(patternFile(places));
    if (written && now && *now == settings.pattern) return {};
    (void)writeSetting(patternFile(places), settings.previousPattern);
    (void)writeSetting(limitFile(places), settings.previousPipeLimit);
    std::error_code ignored;
    fs::remove(places.state(), ignored);
    if (!written) return written;
    return fail(Errc::io, "the kernel did not take the pattern", patternFile(places).string());
}

Result<void> uninstall(const Places& places, std::string& restored) {
    ASSIGN_OR_RETURN(const Settings settings, Settings::read(places.state()));
    ASSIGN_OR_RETURN(const std::string now, readSetting(patternFile(places)));
    if (now != settings.pattern)
        return fail(Errc::busy,
                    fmt::format("`{}` was put there since icecore was installed: left as it is; "
                                "remove {} to forget icecore's installation",
                                printable(now), places.state().string()),
                    patternFile(places).string());
    TRY(writeSetting(patternFile(places), settings.previousPattern));
    TRY(writeSetting(limitFile(places), settings.previousPipeLimit));
    restored = settings.previousPattern;
    std::error_code error;
    fs::remove(places.state(), error);
    if (error) return failErrno(error.value(), "cannot remove", places.state().string());
    // Nothing of ours stays behind; a folder that holds something is not removed.
    fs::remove(places.state().parent_path(), error);
    return {};
}

Result<Status> status(const Places& places) {
    Status status;
    ASSIGN_OR_RETURN(status.pattern, readSetting(patternFile(places)));
    ASSIGN_OR_RETURN(status.pipeLimit, readSetting(limitFile(places)));
    status.inCharge = whoHandles(status.pattern);
    if (auto settings = Settings::read(places.state())) {
        if (status.pattern == settings->pattern) status.inCharge = "icecore";
        status.settings = *std::move(settings);
    } else if (settings.error().code != Errc::not_found) {
        return std::unexpected(settings.error());
    }
    return status;
}

}  // namespace icecore::app::handler
