// The table of streams, and the order in which a dump is read.
#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.h"
#include "formats/minidump/linux_streams.h"
#include "formats/minidump/minidump.h"
#include "formats/minidump/reading.h"
#include "model/elf_essentials.h"

namespace icecore::minidump {

namespace {

// Names: MINIDUMP_STREAM_TYPE, minidumpapiset.h. What others need comes first: the architecture
// before contexts, threads before what is told about them (and the exception, whose context is
// compared with its thread's, before that is completed), standard streams before our records.
constexpr std::array rows = {
    StreamRow{streamSystemInfo, "SystemInfoStream", readSystemInfo},
    StreamRow{streamMiscInfo, "MiscInfoStream", readMiscInfo},
    StreamRow{streamThreadList, "ThreadListStream", readThreadList},
    StreamRow{streamThreadExList, "ThreadExListStream", readThreadExList},
    StreamRow{streamThreadNames, "ThreadNamesStream", readThreadNames},
    StreamRow{streamThreadInfoList, "ThreadInfoListStream", readThreadInfoList},
    StreamRow{streamException, "ExceptionStream", readException},
    StreamRow{streamSignalInfo, "icecore signal information", readSignalInfo},
    StreamRow{streamThreadState, "icecore thread state", readThreadState},
    StreamRow{streamModuleList, "ModuleListStream", readModuleList},
    StreamRow{streamUnloadedModuleList, "UnloadedModuleListStream", readUnloadedModules},
    StreamRow{streamLinuxDsoDebug, "LinuxDSODebug", readDsoDebug},
    StreamRow{streamHandleData, "HandleDataStream", readHandleData},
    StreamRow{streamFunctionTable, "FunctionTableStream", readFunctionTables},
    StreamRow{streamMemoryList, "MemoryListStream", readMemoryList},
    StreamRow{streamMemory64List, "Memory64ListStream", readMemory64List},
    StreamRow{streamMemoryInfoList, "MemoryInfoListStream", readMemoryInfoList},
    StreamRow{streamUnread, "icecore unread ranges", readUnread},
    StreamRow{streamZeroRanges, "icecore zero ranges", readZeroRanges},
    StreamRow{streamCommentA, "CommentStreamA", readCommentA},
    StreamRow{streamCommentW, "CommentStreamW", readCommentW},
    StreamRow{streamAssertionInfo, "AssertionInfo", readAssertion},
    StreamRow{streamCrashpadInfo, "CrashpadInfo", readCrashpad},
    StreamRow{streamMacCrashInfo, "MozMacosCrashInfo", readMacCrashInfo},
    StreamRow{streamMacBootArguments, "MozMacosBootargs", readMacBootArguments},
    // After the files of /proc, which come before these in interpretLinuxFiles.
    StreamRow{streamInfo, "icecore information", nullptr},
    StreamRow{streamProcess, "icecore process", nullptr},
    StreamRow{streamThreads, "icecore threads", nullptr},
    StreamRow{streamRegions, "icecore regions", nullptr},
    StreamRow{streamAttachment, "icecore attachment", nullptr},
    // Known by name only: kept as attachments.
    StreamRow{streamHandleOperationList, "HandleOperationListStream", nullptr},
    StreamRow{streamToken, "TokenStream", nullptr},
    StreamRow{streamJavaScriptData, "JavaScriptDataStream", nullptr},
    StreamRow{streamSystemMemoryInfo, "SystemMemoryInfoStream", nullptr},
    StreamRow{streamProcessVmCounters, "ProcessVmCountersStream", nullptr},
    StreamRow{streamIptTrace, "IptTraceStream", nullptr},
    StreamRow{streamBreakpadInfo, "BreakpadInfo", nullptr},
    StreamRow{0x47670003, "LinuxCPUInfo", nullptr},
    StreamRow{0x47670004, "LinuxProcStatus", nullptr},
    StreamRow{0x47670005, "LinuxLSBRelease", nullptr},
    StreamRow{streamLinuxCmdline, "LinuxCMDLine", nullptr},
    StreamRow{streamLinuxEnviron, "LinuxEnviron", nullptr},
    StreamRow{streamLinuxAuxv, "LinuxAuxv", nullptr},
    StreamRow{streamLinuxMaps, "LinuxMaps", nullptr},
    StreamRow{0x4767000b, "LinuxProcStat", nullptr},
    StreamRow{0x4767000c, "LinuxProcUptime", nullptr},
    StreamRow{0x4767000d, "LinuxProcFD", nullptr},
    StreamRow{streamMozillaLimits, "MozLinuxLimits", nullptr},
    StreamRow{0x4d7a0004, "MozSoftErrors", nullptr},
    // Of Windows CE.
    StreamRow{0x8001, "ceStreamSystemInfo", nullptr},
    StreamRow{0x8002, "ceStreamException", nullptr},
    StreamRow{0x8003, "ceStreamModuleList", nullptr},
    StreamRow{0x8004, "ceStreamProcessList", nullptr},
    StreamRow{0x8005, "ceStreamThreadList", nullptr},
    StreamRow{0x8006, "ceStreamThreadContextList", nullptr},
    StreamRow{0x8007, "ceStreamThreadCallStackList", nullptr},
    StreamRow{0x8008, "ceStreamMemoryVirtualList", nullptr},
    StreamRow{0x8009, "ceStreamMemoryPhysicalList", nullptr},
    StreamRow{0x800a, "ceStreamBucketParameters", nullptr},
    StreamRow{0x800b, "ceStreamProcessModuleMap", nullptr},
    StreamRow{0x800c, "ceStreamDiagnosisList", nullptr},
};

/// Streams that our records complete, read after everything else.
constexpr std::array ownRecords = {
    StreamRow{streamInfo, "icecore information", readOwnInfo},
    StreamRow{streamProcess, "icecore process", readOwnProcess},
    StreamRow{streamThreads, "icecore threads", readOwnThreads},
    StreamRow{streamRegions, "icecore regions", readOwnRegions},
};

const StreamRow* rowOf(std::uint32_t type) {
    const auto row = std::ranges::find(rows, type, &StreamRow::type);
    return row == rows.end() ? nullptr : &*row;
}

class Reader {
public:
    Reader(std::shared_ptr<const Source> source, Snapshot& snapshot, Index index)
        : reading_(std::move(source), snapshot), index_(std::move(index)) {}

    void run() {
        describeProvenance();
        for (const StreamRow& row : rows) {
            if (row.read != nullptr) readFirst(row);
        }
        keepTheRest();
        interpretLinuxFiles(reading_);
        for (const StreamRow& row : ownRecords)
            readFirst(row);
        buildMemory(reading_);
        completeFromMemory();
    }

private:
    void describeProvenance() {
        Provenance& provenance = reading_.snapshot.provenance;
        provenance.path = reading_.source->name();
        provenance.format = "minidump";
        provenance.bytes = reading_.source->size();
        if (index_.header.time != 0)
            provenance.time = TimePoint(std::chrono::seconds(index_.header.time + 0U));
        const std::uint64_t flags = index_.header.flags;
        provenance.type = flags <= UINT32_MAX
                              ? toString(DumpType{static_cast<std::uint32_t>(flags), false})
                              : hex(flags);
        for (const StreamEntry& entry : index_.streams) {
            if (entry.type == streamCrashpadInfo) provenance.tool = "Crashpad";
            if (entry.type == streamBreakpadInfo && provenance.tool.empty())
                provenance.tool = "Breakpad";
            if (entry.type >> 16 == 0x4d7a) provenance.tool = "minidump-writer";
        }
    }

    /// Of streams of the same type the first counts; the others are told.
    void readFirst(const StreamRow& row) {
        bool seen = false;
        for (const StreamEntry& entry : index_.streams) {
            if (entry.type != row.type) continue;
            if (seen) {
                reading_.issues.loss(fmt::format("a second {} is ignored", row.name));
                continue;
            }
            seen = true;
            const SharedBytes bytes = reading_.load(entry.rva, entry.size, row.name);
            row.read(reading_, reading_.view(bytes, entry.rva));
        }
    }

    /// Files of /proc by their names, unknown streams by their numbers.
    void keepTheRest() {
        for (const StreamEntry& entry : index_.streams) {
            if (const StreamRow* row = rowOf(entry.type); row != nullptr && row->read != nullptr)
                continue;
            if (std::ranges::find(ownRecords, entry.type, &StreamRow::type) != ownRecords.end())
                continue;
            const SharedBytes bytes = reading_.load(entry.rva, entry.size, streamName(entry.type));
            auto& attachments = reading_.snapshot.attachments;
            if (entry.type == streamAttachment) {
                const std::string_view text = bytes.text();
                const std::size_t nul = text.find('\0');
                if (nul == std::string_view::npos) {
                    reading_.issues.loss("an attachment without a name is left out");
                    continue;
                }
                attachments.push_back({std::string(text.substr(0, nul)),
                                       SharedBytes::own(std::string(text.substr(nul + 1)))});
                continue;
            }
            const auto file = std::ranges::find(linuxFiles, entry.type, &LinuxFile::type);
            attachments.push_back({file != linuxFiles.end() ? std::string(file->attachment)
                                                            : "stream/" + hex(entry.type),
                                   bytes});
        }
    }

    /// What only the memory tells: load biases, and the mapping that ends each stack.
    void completeFromMemory() {
        Process& process = reading_.process;
        const bool elf = process.system.os == Os::linux_os || process.system.os == Os::android;
        if (process.system.os == Os::windows) {
            completeWindows(reading_);
            noteEmulation(reading_);
        }
        if (!elf) return;
        for (Module& module : process.modules) {
            if (module.bias) continue;
            if (const auto bias = loadBias(process, module.range.begin())) module.bias = bias;
        }
        for (Thread& thread : process.threads) {
            if (thread.stack || !thread.context) continue;
            const std::uint64_t sp = thread.context->registers.sp();
            if (const Region* region = process.regionAt(sp))
                thread.stack = Range::between(sp, region->range.end());
        }
    }

    Reading reading_;
    Index index_;
};

}  // namespace

std::span<const StreamRow> streamRows() {
    return rows;
}

std::string streamName(std::uint32_t type) {
    const StreamRow* row = rowOf(type);
    return row != nullptr ? std::string(row->name) : "stream " + hex(type);
}

bool probe(const Source& source) {
    const auto start = source.load(0, sizeof(Le32));
    return start && loadInteger<std::uint32_t>(start->span().data()) == signature;
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot;
    snapshot.process.emplace();
    ASSIGN_OR_RETURN(Index index, readIndex(*source, snapshot.issues));
    Reader(std::move(source), snapshot, std::move(index)).run();
    return snapshot;
}

}  // namespace icecore::minidump
