#include "formats/image/image.h"

#include <algorithm>
#include <bit>

#include "base/how_many.h"
#include "base/text.h"
#include "bytes/zeros.h"

namespace icecore::image {

Result<const AddressSpace*> physicalMemory(const Snapshot& snapshot) {
    if (!snapshot.machine)
        return fail(Errc::unsupported, "not an image of a machine's memory",
                    snapshot.provenance.path);
    return snapshot.machine->physical.get();
}

std::vector<Range> storedRanges(const AddressSpace& memory) {
    std::vector<Range> ranges;
    for (const Extent& extent : memory.extents(Range::all())) {
        if (extent.absence != Absence::none || extent.range.empty()) continue;
        if (!ranges.empty() && ranges.back().end() == extent.range.begin())
            ranges.back() = Range::between(ranges.back().begin(), extent.range.end());
        else
            ranges.push_back(extent.range);
    }
    return ranges;
}

std::uint64_t bytesIn(const std::vector<Range>& ranges) {
    std::uint64_t sum = 0;
    for (const Range& range : ranges)
        sum += range.size();
    return sum;
}

std::uint64_t endOf(const std::vector<Range>& ranges) {
    return ranges.empty() ? 0 : ranges.back().end();
}

std::uint64_t pieceSizeFor(const std::vector<Range>& ranges, std::uint64_t most) {
    constexpr std::uint64_t least = std::uint64_t{128} << 10, part = 4096;
    return std::clamp(std::bit_floor(bytesIn(ranges) / part), std::min(least, most), most);
}

Pieces::Pieces(std::vector<Range> ranges, std::uint64_t size)
    : ranges_(std::move(ranges)), size_(size) {
    first_.reserve(ranges_.size());
    for (const Range& range : ranges_) {
        first_.push_back(count_);
        count_ += (range.end() - 1) / size_ - range.begin() / size_ + 1;
    }
}

Range Pieces::operator[](std::uint64_t index) const {
    const auto after = std::ranges::upper_bound(first_, index);
    const auto which = static_cast<std::size_t>(after - first_.begin()) - 1;
    const Range& range = ranges_[which];
    const std::uint64_t begin = (range.begin() / size_ + (index - first_[which])) * size_;
    return Range::ofSize(begin, size_).intersect(range);
}

Piece readPiece(const AddressSpace& memory, Range range) {
    Piece piece;
    readPiece(memory, range, piece);
    if (piece.zero) piece.bytes = {};
    return piece;
}

void readPiece(const AddressSpace& memory, Range range, Piece& piece) {
    piece.range = range;
    piece.unread.clear();
    piece.bytes.clear();
    const std::vector<Extent> extents = memory.extents(range);
    piece.zero = extents.size() == 1 && extents.front() == Extent{range, Absence::none, true};
    if (piece.zero) return;
    piece.bytes.resize(static_cast<std::size_t>(range.size()));
    std::uint64_t at = range.begin();
    while (at < range.end()) {
        const auto into =
            std::span(piece.bytes).subspan(static_cast<std::size_t>(at - range.begin()));
        at += memory.read(at, into).bytes;
        if (at >= range.end()) break;
        const std::uint64_t next = std::min(range.end(), alignDown(at, pageSize) + pageSize);
        std::ranges::fill(std::span(piece.bytes)
                              .subspan(static_cast<std::size_t>(at - range.begin()),
                                       static_cast<std::size_t>(next - at)),
                          std::byte{0});
        if (!piece.unread.empty() && piece.unread.back().end() == at)
            piece.unread.back() = Range::between(piece.unread.back().begin(), next);
        else
            piece.unread.push_back(Range::between(at, next));
        at = next;
    }
    piece.zero = piece.unread.empty() && allZero(piece.bytes);
    if (piece.zero) piece.bytes.clear();
}

std::vector<Extent> absentExtents(const AddressSpace& memory) {
    std::vector<Extent> absent = memory.extents(Range::all());
    std::erase_if(absent, [](const Extent& extent) { return extent.absence == Absence::none; });
    return absent;
}

void tellLosses(const Snapshot& snapshot, const Holds& holds, Issues& losses) {
    const Machine& machine = *snapshot.machine;
    const bool notes = snapshot.attachment(notesAttachment) != nullptr;
    if (!holds.cpus && (!machine.cpus.empty() || notes))
        losses.loss("the registers of " + howMany(machine.cpus.size(), "CPU") +
                    ": the format has no place for them");
    if (!holds.kernelInfo && snapshot.attachment(kernelInfoAttachment) != nullptr)
        losses.loss("the kernel's own description (VMCOREINFO): the format has no place for it");
    if (!holds.ranges)
        losses.loss("which addresses have memory: the format cannot tell them from zeros");
    if (!holds.attachments) {
        for (const Attachment& attachment : snapshot.attachments) {
            if (attachment.name == notesAttachment || attachment.name == kernelInfoAttachment)
                continue;
            losses.loss("attachment " + attachment.name + ": the format has no place for it");
        }
    }
    if (holds.absences) return;
    std::uint64_t unreadable = 0;
    for (const Extent& extent : absentExtents(*machine.physical)) {
        if (extent.absence != Absence::not_captured) unreadable += extent.range.size();
    }
    if (unreadable > 0)
        losses.loss("why " + humanBytes(unreadable) +
                    " are missing (unreadable, or cut off): the format has no place for it");
}

void tellUnread(const std::vector<Range>& unread, std::string_view standIn, Issues& losses) {
    if (unread.empty()) return;
    losses.loss(humanBytes(bytesIn(unread)) + " in " + howMany(unread.size(), "range") +
                " could not be read, from " + hex(unread.front().begin()) + " on; " +
                std::string(standIn));
}

std::uint64_t everyByte(const std::shared_ptr<const Source>& begun) {
    return begun->size();
}

Snapshot startSnapshot(const Source& source, std::string_view format) {
    Snapshot snapshot;
    snapshot.machine.emplace();
    snapshot.provenance.path = source.name();
    snapshot.provenance.format = format;
    snapshot.provenance.bytes = source.size();
    return snapshot;
}

}  // namespace icecore::image
