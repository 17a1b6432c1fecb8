// What the functions that read one stream each share.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/issue.h"
#include "bytes/cursor.h"
#include "bytes/source.h"
#include "formats/minidump/layout.h"
#include "model/snapshot.h"

namespace icecore::minidump {

struct StreamEntry {
    std::uint32_t type = 0, size = 0, rva = 0;
};

/// The header and the directory, with what is wrong with them.
struct Index {
    Header header;
    std::vector<StreamEntry> streams;
};
Result<Index> readIndex(const Source& source, Issues& issues);

/// One dump being read.
class Reading {
public:
    Reading(std::shared_ptr<const Source> file, Snapshot& into)
        : source(std::move(file)),
          snapshot(into),
          process(*into.process),
          issues(into.issues),
          budget_(source->size() + (64 << 20)) {}

    std::shared_ptr<const Source> source;
    Snapshot& snapshot;
    Process& process;
    Issues& issues;

    /// Memory found so far; overlaps are sorted out at the end.
    struct Stored {
        Range range;
        std::uint64_t offset = 0;
    };
    std::vector<Stored> memory;
    std::vector<Range> zeros;
    std::vector<std::uint64_t> moduleBases;  ///< in the order of the dump's own list
    std::vector<Extent> absent;

    /// The bytes at `location`, as many as the file has; an issue naming `what` where it has
    /// fewer than promised.
    [[nodiscard]] SharedBytes load(std::uint64_t rva, std::uint64_t size, std::string_view what);
    /// A MINIDUMP_STRING; empty where there is none. Damage becomes an issue naming `what`.
    [[nodiscard]] std::string string(std::uint64_t rva, std::string_view what);
    /// The same of Crashpad's UTF-8 strings, which count bytes.
    [[nodiscard]] std::string utf8String(std::uint64_t rva, std::string_view what);
    /// A view that names the file and the offset in messages. `bytes` must outlive it.
    [[nodiscard]] ByteView view(const SharedBytes& bytes, std::uint64_t rva) const {
        return {bytes.span(), source->name(), rva};
    }

    /// Calls `use(entry)` for up to `count` entries of `entrySize` bytes in `list`. Fewer than
    /// promised become an issue; entries longer than T are cut, shorter ones refused.
    template <class T, class Use>
    void forEach(ByteView list, std::uint64_t count, std::uint64_t entrySize, std::string_view what,
                 Use use) {
        if (count == 0) return;
        if (entrySize < sizeof(T)) {
            issues.loss(fmt::format("{}: entries of {} bytes are too short", what, entrySize),
                        list.where());
            return;
        }
        const std::uint64_t room = list.size() / entrySize;
        if (count > room) {
            issues.loss(fmt::format("{}: {} entries promised, room for {}", what, count, room),
                        list.where());
            count = room;
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            Cursor cursor(list.slice(i * entrySize, entrySize));
            use(cursor.structure<T>());
        }
    }

    /// A list with a 32-bit count before its entries; four bytes of padding between them, as
    /// Breakpad writes on some systems, are seen by the stream's size.
    template <class T, class Use>
    void forEachCounted(ByteView stream, std::string_view what, Use use) {
        Cursor cursor(stream);
        const std::uint32_t count = cursor.u32();
        if (!cursor.ok()) {
            issues.loss(std::string(what) + " is too short", stream.where());
            return;
        }
        const std::uint64_t bytes = std::uint64_t{count} * sizeof(T);
        forEach<T>(stream.slice(stream.size() == bytes + 8 ? 8 : 4), count, sizeof(T), what, use);
    }

    /// A list that begins with the size of its header and of its entries.
    template <class HeaderType, class T, class Use>
    void forEachSized(ByteView stream, std::string_view what, Use use) {
        Cursor cursor(stream);
        const auto header = cursor.structure<HeaderType>();
        if (!cursor.ok() || header.headerSize < sizeof(HeaderType)) {
            issues.loss(std::string(what) + " has a damaged header", stream.where());
            return;
        }
        forEach<T>(stream.slice(header.headerSize), header.count, header.entrySize, what, use);
    }

    [[nodiscard]] Thread* threadById(std::uint64_t id);
    void indexThreads();

private:
    [[nodiscard]] bool spend(std::uint64_t bytes, std::string_view what);

    /// What may still be copied out of the file. References overlap in a hostile one, and could
    /// turn kilobytes into gigabytes.
    std::uint64_t budget_;
    bool exhausted_ = false;
    std::vector<std::pair<std::uint64_t, std::size_t>> threadIndex_;  ///< id, position; by id
};

/// One row of the table of streams: adding a stream is one row and one function.
struct StreamRow {
    std::uint32_t type;
    std::string_view name;  ///< "ThreadListStream"
    /// Null: read elsewhere or of no use.
    void (*read)(Reading& reading, ByteView content);
};
/// In the order in which they are read: what others need comes first.
std::span<const StreamRow> streamRows();
/// The stream's name, or "stream 0x…".
std::string streamName(std::uint32_t type);

// The functions of the rows, by file.
void readSystemInfo(Reading& reading, ByteView content);
void readMiscInfo(Reading& reading, ByteView content);
void readCommentA(Reading& reading, ByteView content);
void readCommentW(Reading& reading, ByteView content);

void readThreadList(Reading& reading, ByteView content);
void readThreadExList(Reading& reading, ByteView content);
void readThreadNames(Reading& reading, ByteView content);
void readThreadInfoList(Reading& reading, ByteView content);
void readException(Reading& reading, ByteView content);
void readThreadState(Reading& reading, ByteView content);
void readSignalInfo(Reading& reading, ByteView content);

void readModuleList(Reading& reading, ByteView content);
void readUnloadedModules(Reading& reading, ByteView content);
void readDsoDebug(Reading& reading, ByteView content);
void readHandleData(Reading& reading, ByteView content);
void readFunctionTables(Reading& reading, ByteView content);
void readAssertion(Reading& reading, ByteView content);
void readCrashpad(Reading& reading, ByteView content);
void readMacCrashInfo(Reading& reading, ByteView content);
void readMacBootArguments(Reading& reading, ByteView content);
/// What the modules tell of the kind of process: 32 bits on 64, emulated.
void noteEmulation(Reading& reading);
/// What the memory of a Windows process tells: where its PEB is, how far its stacks reach.
void completeWindows(Reading& reading);

void readMemoryList(Reading& reading, ByteView content);
void readMemory64List(Reading& reading, ByteView content);
void readMemoryInfoList(Reading& reading, ByteView content);
void readUnread(Reading& reading, ByteView content);
void readZeroRanges(Reading& reading, ByteView content);
/// Builds process.memory from what was found.
void buildMemory(Reading& reading);

void readOwnInfo(Reading& reading, ByteView content);
void readOwnProcess(Reading& reading, ByteView content);
void readOwnThreads(Reading& reading, ByteView content);
void readOwnRegions(Reading& reading, ByteView content);
/// What the files of /proc tell: the process' name, arguments, mappings…
void interpretLinuxFiles(Reading& reading);

}  // namespace icecore::minidump
