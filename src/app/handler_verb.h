// Being the system's crash handler: what its parts share. Installing and receiving belong to one
// system (handler_verb_*_linux.cpp); the records of crashes do not.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "views/json.h"

namespace icecore::app::handler {

/// What `install` decides and the receiver reads, in ROOT/var/lib/icecore/handler.json.
struct Settings {
    std::string folder;
    std::string format = "core";
    std::string type;  ///< empty: what the kernel keeps of a core, `mini` of a minidump
    std::uint64_t keep = 20;
    std::uint64_t maxBytes = std::uint64_t{4} << 30;
    std::uint64_t timeoutSeconds = 300;
    std::string pattern;  ///< what we wrote
    std::string previousPattern, previousPipeLimit;

    [[nodiscard]] Json json() const;
    static Result<Settings> read(const std::filesystem::path& file);
};

/// Where things are. `root` is "/" except in tests.
struct Places {
    std::filesystem::path root = "/";
    std::filesystem::path sysctl = "/proc/sys/kernel";
    [[nodiscard]] std::filesystem::path state() const {
        return root / "var/lib/icecore/handler.json";
    }
    [[nodiscard]] std::filesystem::path defaultFolder() const {
        return root / "var/lib/icecore/crashes";
    }
    [[nodiscard]] std::filesystem::path log() const { return root / "dev/log"; }
};

/// One crash, as it is kept beside its dump in NAME.json.
struct Crash {
    std::string time;  ///< ISO 8601, with nanoseconds: newest last when sorted
    std::string program, executable;
    std::vector<std::string> commandLine;
    std::uint64_t pid = 0, innerPid = 0;
    std::optional<std::uint64_t> uid;
    std::uint64_t signal = 0;
    std::string signalName;
    std::string path;  ///< of the dump; empty when none could be written
    std::string format, type;
    std::uint64_t bytes = 0;      ///< size of the file
    std::uint64_t diskBytes = 0;  ///< what it takes of the disk
    std::string verdict, bucket;
    std::vector<std::string> problems;  ///< what was not as asked for: no space, cut off…
    std::filesystem::path record;       ///< where this stands; not stored

    [[nodiscard]] Json json() const;
    static std::optional<Crash> fromJson(const Json& json);
};

/// The crashes recorded in `folder`, newest first.
std::vector<Crash> readCrashes(const std::filesystem::path& folder);
/// Removes the oldest until at most `keep` are left that take at most `maxBytes`; the newest stays.
/// Also temporaries that a killed receiver left. The caller holds the folder's lock.
void enforceBudget(const std::filesystem::path& folder, std::uint64_t keep, std::uint64_t maxBytes);
/// Removes what createFileSink did not finish in `folder`: files of names that begin with `prefix`,
/// last written more than `age` ago; all of them without an age.
void removeTemporaries(const std::filesystem::path& folder, const std::string& prefix,
                       std::chrono::hours age = {});
/// One line for a journal.
std::string journalLine(const Crash& crash);
/// A whole small file, written aside and renamed; mode 0600.
Result<void> replaceFile(const std::filesystem::path& path, std::string_view text);

/// What `status` tells.
struct Status {
    std::string
        inCharge;  ///< icecore, systemd-coredump, apport, abrt, program, socket, file, nobody
    std::string pattern;
    std::string pipeLimit;
    std::optional<Settings> settings;  ///< where icecore was installed
};

Result<void> install(const Places& places, Settings settings);
Result<void> uninstall(const Places& places, std::string& restored);
Result<Status> status(const Places& places);

/// What the kernel says of a crash, core(5).
struct Received {
    std::uint64_t pid = 0;       ///< %P
    std::uint64_t innerPid = 0;  ///< %p
    std::uint64_t signal = 0;    ///< %s
    std::int64_t time = 0;       ///< %t
    std::uint64_t dumpMode = 1;  ///< %d
};
/// The receiver: the core comes on standard input. Returns an exit status.
int receive(const Places& places, const Received& received);

}  // namespace icecore::app::handler
