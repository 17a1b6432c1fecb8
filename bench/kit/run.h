// Running other programs and measuring what they cost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace icecore::bench {

using Command = std::vector<std::string>;

/// What one run of a program cost, and what it said.
struct Run {
    bool succeeded = false;          ///< it could be started and its exit status was 0
    int status = -1;                 ///< exit status; 128 + signal
    double seconds = 0;              ///< wall clock, from before the start to after the end
    std::uint64_t peakResident = 0;  ///< bytes; the largest of the program and its children, no
                                     ///< less than what the caller itself holds at the start
    std::string output;              ///< standard output and error, together
};

/// Starts `command` (found in PATH), waits for its end. Without DEBUGINFOD_URLS, so that nobody
/// measures the network.
Run run(const Command& command);

/// Whether a program of that name is in PATH.
bool installed(std::string_view program);

/// The first of these names that is installed; empty when none is.
std::string firstInstalled(const std::vector<std::string>& programs);

/// "gdb 13.1": the first line of what `program --version` says, shortened; its name when it says
/// nothing.
std::string versionOf(const std::string& program);

/// A directory of our own that is removed with all it holds. On the file system of `near`.
class ScratchDirectory {
public:
    explicit ScratchDirectory(const std::filesystem::path& near);
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    [[nodiscard]] std::string operator/(std::string_view name) const;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Bytes that the file's blocks take on the disk; 0 when it is not there.
std::uint64_t allocatedBytes(const std::string& path);
std::uint64_t fileBytes(const std::string& path);

/// Takes files out of the page cache: of the whole machine where we may, else those named.
/// Returns what was done, in words for the report.
std::string makeCold(const std::vector<std::string>& files);

}  // namespace icecore::bench
