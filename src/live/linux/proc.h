// Reading /proc: whole files, and the few line formats that matter. See proc(5).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace icecore::live {

/// Bytes of the smallest page of this system.
std::uint64_t pageSize();

/// "/proc/PID/NAME".
std::string procPath(pid_t process, std::string_view name);
/// "/proc/PID/task/TID/NAME".
std::string taskPath(pid_t process, pid_t thread, std::string_view name);

/// A whole file of /proc (they have no size). At most `limit` bytes.
Result<std::string> readProc(const std::string& path, std::size_t limit = std::size_t{1} << 30);
/// As readProc; empty where it cannot be read.
std::string readProcOrEmpty(const std::string& path);
/// Where a symbolic link points; empty where that cannot be seen.
std::string readLink(const std::string& path);
/// The file name of a program, of what /proc/PID/exe points to; also of one that is deleted.
std::string_view programName(std::string_view executable);
/// The numeric names in a directory, ascending (threads, descriptors).
std::vector<std::uint64_t> numbersIn(const std::string& directory);
/// NUL-separated strings, as cmdline and environ hold them.
std::vector<std::string> splitNul(std::string_view text);

/// The part of /proc/…/stat we use; field numbers as in proc(5).
struct ProcStat {
    std::string name;               ///< comm (2)
    char state = 0;                 ///< 3
    pid_t parent = 0;               ///< 4
    std::int32_t processGroup = 0;  ///< 5
    std::int32_t session = 0;       ///< 6
    std::uint64_t flags = 0;        ///< 9, PF_…
    std::uint64_t faults = 0;       ///< 10 and 12, of pages, minor and major
    std::uint64_t userTicks = 0;    ///< 14
    std::uint64_t kernelTicks = 0;  ///< 15
    std::int32_t nice = 0;          ///< 19
    std::uint64_t startTicks = 0;   ///< 22, since boot
    std::int32_t exitSignal = 0;    ///< 38, to its parent when it ends; 0 none
    [[nodiscard]] bool kernelThread() const { return (flags & 0x00200000) != 0; }  // PF_KTHREAD
    [[nodiscard]] bool dead() const { return state == 'Z' || state == 'X' || state == 'x'; }
};
std::optional<ProcStat> parseStat(std::string_view text);

/// The value of a line "KEY:\tvalue" of /proc/…/status; empty when it is not there.
std::string_view statusField(std::string_view status, std::string_view key);
/// A decimal field's first number.
std::optional<std::uint64_t> statusNumber(std::string_view status, std::string_view key);
/// A field in hex without prefix: signal and capability sets.
std::uint64_t statusMask(std::string_view status, std::string_view key);

}  // namespace icecore::live
