// One minidump of a running process, with what its caller adds to it.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace icecore::capi {

/// What MiniDumpWriteDump is asked, as plain values: it also travels to another process. Addresses
/// are those of the target or, without `inTarget`, of this process.
struct MinidumpRequest {
    std::uint64_t pid = 0;
    std::int32_t descriptor = -1;  ///< where it goes, from its current offset
    std::uint32_t flags = 0;       ///< MINIDUMP_TYPE
    std::uint64_t exceptionThread = 0;
    std::uint64_t exceptionPointers = 0;  ///< of EXCEPTION_POINTERS; 0: no exception
    std::uint64_t streams = 0;            ///< of an array of MINIDUMP_USER_STREAM
    std::uint32_t streamCount = 0;
    bool exceptionInTarget = false;
    bool streamsInTarget = false;
};

/// Freezes the process, writes, lets it go. The process must not be this one.
Result<void> writeMinidump(const MinidumpRequest& request);

/// As writeMinidump, of this process: done by the program icecore-dumper, which lies beside the
/// library or where the installation puts it. `not_found` where it is not.
Result<void> writeOwnMinidump(const MinidumpRequest& request);

/// Whether `pid` is this process.
bool isOwn(std::uint64_t pid);

/// Whether something can be written to `descriptor`: `usage` when it is closed or read-only.
Result<void> checkWritable(int descriptor);

}  // namespace icecore::capi
