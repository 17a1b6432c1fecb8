// What the tests of the live source share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "live/capture.h"
#include "support/victim.h"

namespace icecore::live {

inline constexpr DumpType everything{static_cast<std::uint32_t>(DumpFlag::with_full_memory), false};

inline Result<std::unique_ptr<FrozenProcess>> tryFreeze(pid_t pid, SnapshotMode mode,
                                                        DumpType type = everything) {
    CaptureOptions options;
    options.mode = mode;
    options.type = type;
    SilentProgress progress;
    return freeze(static_cast<std::uint64_t>(pid), options, progress);
}

/// Null, with a test failure, when it cannot be frozen.
inline std::unique_ptr<FrozenProcess> frozen(pid_t pid, SnapshotMode mode,
                                             DumpType type = everything) {
    auto result = tryFreeze(pid, mode, type);
    if (!result) {
        ADD_FAILURE() << result.error().describe();
        return nullptr;
    }
    return std::move(*result);
}

/// Reads everything that is planned and there, as a writer would; returns how many bytes.
inline std::uint64_t readPlan(const FrozenProcess& process) {
    const AddressSpace& memory = *process.snapshot().process->memory;
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    std::uint64_t bytes = 0;
    for (const SavePlan::Item& item : process.plan().memory) {
        for (const Extent& extent : memory.extents(item.range)) {
            if (extent.absence != Absence::none || extent.zero) continue;
            for (std::uint64_t at = extent.range.begin(); at < extent.range.end();) {
                const auto want = static_cast<std::size_t>(
                    std::min<std::uint64_t>(buffer.size(), extent.range.end() - at));
                const std::size_t got = memory.read(at, std::span(buffer).first(want)).bytes;
                bytes += got;
                at += got < want ? got + 4096 : got;
            }
        }
    }
    return bytes;
}

}  // namespace icecore::live
