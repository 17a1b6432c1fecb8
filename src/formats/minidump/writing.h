// What the functions that write one stream each share.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/format.h"
#include "formats/minidump/layout.h"

namespace icecore::minidump {

/// Everything in front of the memory: kilobytes to some megabytes, laid out before a byte is
/// written. Offsets are the file's, as it starts at 0.
class Metadata {
public:
    /// Appends and returns where.
    std::uint64_t append(std::span<const std::byte> bytes) {
        const std::uint64_t at = bytes_.size();
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return at;
    }
    template <class T>
        requires(std::is_trivially_copyable_v<T> && alignof(T) == 1)
    std::uint64_t append(const T& raw) {
        return append(bytesOf(raw));
    }
    /// Overwrites what was appended at `at`.
    template <class T>
    void put(std::uint64_t at, const T& raw) {
        const auto bytes = bytesOf(raw);
        std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    }
    void align(std::size_t alignment);
    /// Where a MINIDUMP_STRING with this text is; 0 for the empty one. Equal texts share one.
    /// Invalidates nothing, but must not be called between the parts of one stream.
    std::uint32_t string(std::string_view text);

    [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
    [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

private:
    std::vector<std::byte> bytes_;
    std::map<std::string, std::uint32_t, std::less<>> strings_;
};

/// One dump being written.
class Writing {
public:
    Writing(const Snapshot& from, const SavePlan& what, WriteReport& told)
        : snapshot(from), process(*from.process), plan(what), report(told) {}

    const Snapshot& snapshot;
    const Process& process;
    const SavePlan& plan;
    WriteReport& report;
    Metadata metadata;

    /// Memory that goes into the file, ascending, and how far behind the first byte of memory
    /// each range begins.
    std::vector<Range> stored;
    std::vector<std::uint64_t> storedAt;
    std::vector<Range> zeros;    ///< known to be zero, and too large to be stored as such
    std::vector<Extent> absent;  ///< planned, and known not to be there
    std::uint64_t memoryBytes = 0;
    bool memory64 = false;  ///< Memory64List instead of MemoryList

    // Filled in once the size of the metadata is known.
    struct Fixup {
        std::uint64_t at = 0;      ///< in the metadata
        std::uint64_t offset = 0;  ///< behind the first byte of memory
    };
    std::vector<Fixup> rvas;     ///< Le32
    std::vector<Fixup> offsets;  ///< Le64

    /// A path as it may be written.
    [[nodiscard]] std::string_view pathFor(std::string_view path) const {
        return pathToSave(path, plan);
    }
    /// The index of the stored range that contains `address`, or nothing.
    [[nodiscard]] std::optional<std::size_t> storedIndex(std::uint64_t address) const;
    [[nodiscard]] bool is32() const { return archInfo(process.system.arch).pointerSize == 4; }
};

/// One row of the table of streams that are written.
struct StreamWriter {
    std::uint32_t type;
    /// Writes the stream's content at the metadata's end, after whatever it refers to, and
    /// returns where the content begins; nothing when there is nothing to write.
    std::optional<std::uint64_t> (*write)(Writing& writing);
};

std::optional<std::uint64_t> writeSystemInfo(Writing& writing);
std::optional<std::uint64_t> writeMiscInfo(Writing& writing);
std::optional<std::uint64_t> writeException(Writing& writing);
std::optional<std::uint64_t> writeThreadList(Writing& writing);
std::optional<std::uint64_t> writeThreadNames(Writing& writing);
std::optional<std::uint64_t> writeThreadInfoList(Writing& writing);
std::optional<std::uint64_t> writeThreadState(Writing& writing);
std::optional<std::uint64_t> writeSignalInfo(Writing& writing);
std::optional<std::uint64_t> writeModuleList(Writing& writing);
std::optional<std::uint64_t> writeUnloadedModules(Writing& writing);
std::optional<std::uint64_t> writeHandleData(Writing& writing);
std::optional<std::uint64_t> writeMemoryInfoList(Writing& writing);
std::optional<std::uint64_t> writeMemoryList(Writing& writing);
std::optional<std::uint64_t> writeMemory64List(Writing& writing);
std::optional<std::uint64_t> writeZeroRanges(Writing& writing);
std::optional<std::uint64_t> writeUnreadPointer(Writing& writing);
std::optional<std::uint64_t> writeDsoDebug(Writing& writing);
std::optional<std::uint64_t> writeOwnInfo(Writing& writing);
std::optional<std::uint64_t> writeOwnProcess(Writing& writing);
std::optional<std::uint64_t> writeOwnThreads(Writing& writing);
std::optional<std::uint64_t> writeOwnRegions(Writing& writing);

/// The files of /proc and other attachments: name and content for each stream.
struct FileStream {
    std::uint32_t type = 0;
    std::string content;
};
std::vector<FileStream> fileStreams(const Writing& writing);

/// Splits the plan into what is stored, what is zero and what is absent.
void layOutMemory(Writing& writing, const AddressSpace& memory);
/// The list behind the memory, with what turned out unreadable while it was copied.
std::vector<std::byte> unreadList(const Writing& writing, const std::vector<Range>& unread);

}  // namespace icecore::minidump
