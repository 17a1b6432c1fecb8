// The layout of a minidump, planned whole before its first byte is written:
//
//     header, directory, streams and what they refer to | page boundary | memory | unread ranges
//
// Everything small comes first, so that a file cut short keeps what matters. All of it is written
// front to back: pipes and compressors take it as files do.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/copy_memory.h"
#include "formats/minidump/minidump.h"
#include "formats/minidump/writing.h"

namespace icecore::minidump {

namespace {

constexpr std::uint64_t memoryAlignment = 4096;

// In the order they lie in the file.
constexpr std::array table = {
    StreamWriter{streamSystemInfo, writeSystemInfo},
    StreamWriter{streamMiscInfo, writeMiscInfo},
    StreamWriter{streamException, writeException},
    StreamWriter{streamThreadList, writeThreadList},
    StreamWriter{streamThreadNames, writeThreadNames},
    StreamWriter{streamThreadInfoList, writeThreadInfoList},
    StreamWriter{streamModuleList, writeModuleList},
    StreamWriter{streamUnloadedModuleList, writeUnloadedModules},
    StreamWriter{streamHandleData, writeHandleData},
    StreamWriter{streamMemoryInfoList, writeMemoryInfoList},
    StreamWriter{streamMemoryList, writeMemoryList},
    StreamWriter{streamMemory64List, writeMemory64List},
    StreamWriter{streamLinuxDsoDebug, writeDsoDebug},
    StreamWriter{streamInfo, writeOwnInfo},
    StreamWriter{streamProcess, writeOwnProcess},
    StreamWriter{streamThreads, writeOwnThreads},
    StreamWriter{streamThreadState, writeThreadState},
    StreamWriter{streamSignalInfo, writeSignalInfo},
    StreamWriter{streamRegions, writeOwnRegions},
    StreamWriter{streamZeroRanges, writeZeroRanges},
    StreamWriter{streamUnread, writeUnreadPointer},
};

std::uint32_t headerTime(const Snapshot& snapshot) {
    if (!snapshot.provenance.time) return 0;
    return static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(*snapshot.provenance.time)
            .time_since_epoch()
            .count());
}

Result<void> writeStreams(Writing& writing) {
    Metadata& metadata = writing.metadata;
    const auto files = fileStreams(writing);
    const std::size_t room = table.size() + files.size();
    metadata.append(Header{});
    const std::vector<std::byte> directory(room * sizeof(Directory));
    const std::uint64_t directoryAt = metadata.append(directory);

    std::size_t count = 0;
    const auto enter = [&](std::uint32_t type, std::uint64_t begin) {
        const Directory entry{type,
                              {static_cast<std::uint32_t>(metadata.size() - begin),
                               static_cast<std::uint32_t>(begin)}};
        metadata.put(directoryAt + count++ * sizeof(Directory), entry);
    };
    for (const StreamWriter& row : table) {
        if (const auto begin = row.write(writing)) enter(row.type, *begin);
    }
    for (const FileStream& file : files) {
        metadata.align(8);
        const auto begin = metadata.append(std::as_bytes(std::span(file.content)));
        enter(file.type, begin);
    }
    metadata.align(memoryAlignment);
    const std::uint64_t limit = writing.memory64 ? UINT32_MAX : UINT32_MAX - writing.memoryBytes;
    if (metadata.size() > limit)
        return fail(Errc::limit, "a minidump's lists must lie within its first 4 GiB");
    Header header{};
    header.signature = signature;
    header.version = version;
    header.streamCount = static_cast<std::uint32_t>(count);
    header.directoryRva = static_cast<std::uint32_t>(directoryAt);
    header.time = headerTime(writing.snapshot);
    header.flags = writing.plan.type.flags;
    metadata.put(0, header);
    for (const Writing::Fixup& fixup : writing.rvas)
        metadata.put(fixup.at, Le32(static_cast<std::uint32_t>(metadata.size() + fixup.offset)));
    for (const Writing::Fixup& fixup : writing.offsets)
        metadata.put(fixup.at, Le64(metadata.size() + fixup.offset));
    return {};
}

}  // namespace

void Metadata::align(std::size_t alignment) {
    bytes_.resize(static_cast<std::size_t>(alignUp(bytes_.size(), alignment)));
}

std::uint32_t Metadata::string(std::string_view text) {
    if (text.empty()) return 0;
    if (const auto known = strings_.find(text); known != strings_.end()) return known->second;
    align(4);
    const std::u16string wide = utf8ToUtf16(text);
    const auto at =
        static_cast<std::uint32_t>(append(Le32(static_cast<std::uint32_t>(wide.size() * 2))));
    for (const char16_t unit : wide)
        append(Le16(static_cast<std::uint16_t>(unit)));
    append(Le16(0));
    strings_.emplace(text, at);
    return at;
}

std::optional<std::size_t> Writing::storedIndex(std::uint64_t address) const {
    const auto next = std::ranges::upper_bound(stored, address, {}, &Range::begin);
    if (next == stored.begin() || !std::prev(next)->contains(address)) return std::nullopt;
    return static_cast<std::size_t>(std::prev(next) - stored.begin());
}

Result<WriteReport> write(const Snapshot& snapshot, const SavePlan& plan, Sink& sink,
                          Progress& progress) {
    if (!snapshot.process)
        return fail(Errc::unsupported, "a minidump holds a process, not a machine's memory");
    WriteReport report;
    const auto memory = memoryToSave(*snapshot.process, plan);
    Writing writing(snapshot, plan, report);
    layOutMemory(writing, *memory);
    TRY(writeStreams(writing));

    const std::uint64_t begin = sink.position();
    TRY(sink.write(writing.metadata.bytes()));
    ASSIGN_OR_RETURN(CopyResult copied, copyMemory(*memory, writing.stored, sink, progress));
    TRY(sink.write(unreadList(writing, copied.unread)));

    for (const Extent& extent : writing.absent) {
        // What an earlier dump was not to hold cannot be missed now.
        if (extent.absence != Absence::not_captured) report.unread.push_back(extent.range);
    }
    report.unread.insert(report.unread.end(), copied.unread.begin(), copied.unread.end());
    std::ranges::sort(report.unread);
    report.zeroBytes = copied.zeroBytes;
    report.bytes = sink.position() - begin;
    return report;
}

}  // namespace icecore::minidump

namespace icecore {

Format minidumpFormat() {
    return {"minidump",      "minidump",         ".dmp",         minidump::probe, minidump::open,
            minidump::write, minidump::describe, minidump::build};
}

}  // namespace icecore
