// What the formats of memory images share: which ranges there are, reading them piece by piece,
// and the words for what a format has no place for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/raw_bytes.h"
#include "bytes/source.h"
#include "formats/format.h"
#include "model/snapshot.h"

namespace icecore::image {

inline constexpr std::uint64_t pageSize = 4096;
/// x86-64 and arm64 have at most 52 bits of physical address: what lies above is no memory.
inline constexpr std::uint64_t physicalEnd = std::uint64_t{1} << 52;

/// The machine's memory, or an error saying that the snapshot is of no machine or has none.
Result<const AddressSpace*> physicalMemory(const Snapshot& snapshot);

/// Where there are bytes or known zeros: ascending, joined.
std::vector<Range> storedRanges(const AddressSpace& memory);
std::uint64_t bytesIn(const std::vector<Range>& ranges);
/// The end of the highest range; 0 of none.
std::uint64_t endOf(const std::vector<Range>& ranges);

/// How much to have in hand at once when `ranges` are copied: a power of two of at most `most` (one
/// too). A thousandth part of a small machine, whose own memory it may be that is taken: what we
/// need of it overwrites what was there.
std::uint64_t pieceSizeFor(const std::vector<Range>& ranges, std::uint64_t most);

/// Ranges cut into pieces at multiples of `size` (a power of two), numbered without being listed:
/// a terabyte has many.
class Pieces {
public:
    Pieces(std::vector<Range> ranges, std::uint64_t size);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// Piece `index`, below count().
    [[nodiscard]] Range operator[](std::uint64_t index) const;

private:
    std::vector<Range> ranges_;
    std::vector<std::uint64_t> first_;  ///< number of each range's first piece
    std::uint64_t size_;
    std::uint64_t count_ = 0;
};

/// A piece of memory as it was read. Where reading failed the bytes are zero and `unread` says so.
struct Piece {
    Range range;
    RawBytes bytes;             ///< range.size(); empty where `zero`
    std::vector<Range> unread;  ///< ascending
    bool zero = false;          ///< all of it, and nothing unread
};
/// Reads a piece of at most some MiB; goes on behind pages that cannot be read.
Piece readPiece(const AddressSpace& memory, Range range);
/// Into the memory of a piece that is not needed any more.
void readPiece(const AddressSpace& memory, Range range, Piece& piece);

/// What is known absent inside the stored ranges' hull, by reason: for reports.
std::vector<Extent> absentExtents(const AddressSpace& memory);

/// What a format cannot hold of `snapshot`, told as losses.
struct Holds {
    bool cpus = false;         ///< registers and notes of CPUs
    bool kernelInfo = false;   ///< VMCOREINFO
    bool ranges = true;        ///< which addresses have memory
    bool absences = false;     ///< why others have none
    bool attachments = false;  ///< anything else
};
void tellLosses(const Snapshot& snapshot, const Holds& holds, Issues& losses);
/// Pages that could not be read while writing, which the format shows as zeros.
void tellUnread(const std::vector<Range>& unread, std::string_view standIn, Issues& losses);

/// Format::wholeBytes of formats in which each byte stands for itself.
std::uint64_t everyByte(const std::shared_ptr<const Source>& begun);

/// Starts the Snapshot of an image file.
Snapshot startSnapshot(const Source& source, std::string_view format);

/// VMCOREINFO as it is attached, and its lines as the machine's hints.
inline constexpr std::string_view kernelInfoAttachment = "linux/vmcoreinfo";
/// The ELF notes of a kernel's or QEMU's dump, as they stood in the file.
inline constexpr std::string_view notesAttachment = "elf/notes";
void setKernelInfo(Snapshot& snapshot, SharedBytes text);
/// Reads ELF notes (CPUs, VMCOREINFO) into the snapshot and keeps them as an attachment.
void takeNotes(Snapshot& snapshot, const SharedBytes& notes, const std::string& where);
/// The notes to write: those attached, else made of the CPUs and VMCOREINFO; may be empty.
std::vector<std::byte> notesToWrite(const Snapshot& snapshot);

}  // namespace icecore::image
