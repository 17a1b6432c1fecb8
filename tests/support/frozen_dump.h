// A running process as a dump in memory, in any format, without going through the command line.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "formats/format.h"
#include "live/capture.h"

namespace icecore::tests {

struct WrittenDump {
    std::vector<std::byte> bytes;
    WriteReport report;

    [[nodiscard]] std::shared_ptr<const Source> source(std::string name = "dump") const {
        return memorySource(bytes, std::move(name));
    }
};

/// Writes what `frozen` holds; a test failure and an empty dump when it cannot be written.
inline WrittenDump writeDump(const Snapshot& snapshot, const SavePlan& plan, const char* format) {
    WrittenDump dump;
    MemorySink sink;
    SilentProgress progress;
    auto report = formatByName(format)->write(snapshot, plan, sink, progress);
    EXPECT_TRUE(report) << report.error().describe();
    if (!report) return dump;
    dump.report = *std::move(report);
    dump.bytes = std::move(sink.bytes());
    return dump;
}

/// Opens it again; a test failure and an empty snapshot when it cannot be read.
inline Snapshot readDump(const WrittenDump& dump) {
    const auto source = dump.source();
    const auto format = recognise(*source);
    EXPECT_TRUE(format) << format.error().describe();
    if (!format) return {};
    auto snapshot = (*format)->open(source);
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

inline std::unique_ptr<live::FrozenProcess> freezeForTest(pid_t pid, DumpType type) {
    live::CaptureOptions options;
    options.type = type;
    SilentProgress progress;
    auto frozen = live::freeze(static_cast<std::uint64_t>(pid), options, progress);
    EXPECT_TRUE(frozen) << frozen.error().describe();
    return frozen ? *std::move(frozen) : nullptr;
}

}  // namespace icecore::tests
