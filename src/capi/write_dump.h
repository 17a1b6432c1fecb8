// One dump of a running process, with what its caller adds to it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "base/error.h"
#include "base/progress.h"
#include "capi/callbacks.h"
#include "live/capture.h"

namespace icecore::capi {

enum class DumpFormat : std::uint8_t { minidump, core };

/// What is asked for, as plain values: it also travels to another process. Addresses are those of
/// the target or, without `…InTarget`, of this process.
struct DumpRequest {
    std::uint64_t pid = 0;
    DumpFormat format = DumpFormat::minidump;
    live::SnapshotMode mode = live::SnapshotMode::automatic;
    std::uint32_t flags = 0;            ///< MINIDUMP_TYPE
    std::int32_t compressionLevel = 0;  ///< of zstd; 0: as it is
    /// Where it goes: a file that appears when it is whole, or, when this is empty, a descriptor,
    /// from its current offset.
    std::array<char, 4096> path{};
    bool overwrite = false;
    std::int32_t descriptor = -1;

    std::uint64_t exceptionThread = 0;
    std::uint64_t exceptionPointers = 0;  ///< of EXCEPTION_POINTERS; 0: no exception
    std::uint64_t streams = 0;            ///< of an array of MINIDUMP_USER_STREAM
    std::uint32_t streamCount = 0;
    bool exceptionInTarget = false;
    bool streamsInTarget = false;
    bool askedInTarget = false;  ///< who answers the callback's questions is the target itself
};

/// What came of it.
struct DumpOutcome {
    std::uint64_t bytes = 0;            ///< of the dump, holes included, before compression
    std::uint64_t unreadBytes = 0;      ///< asked for, and could not be read
    std::chrono::nanoseconds pause{0};  ///< how long the target stood still
    bool cloned = false;
};

/// Freezes the process, writes, lets it go. The process must not be this one. `ask`: who is asked
/// what to write; null: nobody.
Result<DumpOutcome> writeDump(const DumpRequest& request, Progress& progress,
                              const Ask* ask = nullptr);

/// As writeDump, of this process: done by the program icecore-dumper, which lies beside the
/// library or where the installation puts it. `not_found` where it is not.
Result<DumpOutcome> writeOwnDump(const DumpRequest& given, const Ask* ask = nullptr);

/// Whether `pid` is this process.
bool isOwn(std::uint64_t pid);
std::uint64_t ownPid();

/// Whether something can be written to `descriptor`: `usage` when it is closed or read-only.
Result<void> checkWritable(int descriptor);

}  // namespace icecore::capi
