#include "unwind/cfi_index.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"

namespace icecore {

Result<EhFrameHeader> EhFrameHeader::parse(ByteView bytes, PointerBases bases) {
    bases.data = bases.section;  // "datarel" here counts from the header itself
    Cursor cursor(bytes);
    const std::uint8_t version = cursor.u8();
    const std::uint8_t frameEncoding = cursor.u8();
    const std::uint8_t countEncoding = cursor.u8();
    const std::uint8_t tableEncoding = cursor.u8();
    TRY(cursor.status(".eh_frame_hdr"));
    if (version != 1)
        return fail(Errc::unsupported, ".eh_frame_hdr version " + std::to_string(version),
                    bytes.where());
    const auto ehFrame = readEncodedPointer(cursor, frameEncoding, bases);
    TRY(cursor.status(".eh_frame_hdr"));
    if (!ehFrame)
        return fail(Errc::malformed, ".eh_frame_hdr does not say where .eh_frame is",
                    bytes.where());
    EhFrameHeader header;
    header.bytes_ = bytes;
    header.bases_ = bases;
    header.ehFrameAddress_ = *ehFrame;

    const auto count = readEncodedPointer(cursor, countEncoding, bases);
    const auto size = encodedPointerSize(tableEncoding, bases.addressSize);
    if (!count || !size || !cursor.ok()) return header;
    // A table that claims more than the section holds is searched as far as it goes.
    header.count_ = std::min(*count, cursor.remaining() / (std::uint64_t{2} * *size));
    header.tableOffset_ = cursor.position();
    header.encoding_ = tableEncoding;
    header.fieldSize_ = *size;
    return header;
}

std::uint64_t EhFrameHeader::field(std::uint64_t index, std::uint64_t which) const {
    Cursor cursor(bytes_);
    cursor.seek(tableOffset_ + (2 * index + which) * fieldSize_);
    return readEncodedPointer(cursor, encoding_, bases_).value_or(0);
}

std::optional<std::uint64_t> EhFrameHeader::find(std::uint64_t address) const {
    std::uint64_t low = 0;
    std::uint64_t high = count_;
    while (low < high) {  // first entry that begins above the address
        const std::uint64_t middle = low + (high - low) / 2;
        if (field(middle, 0) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return std::nullopt;
    return field(low - 1, 1);
}

FdeIndex FdeIndex::build(const CfiSection& section, bool endsAtTerminator) {
    FdeIndex index;
    std::optional<Cie> lastCie;
    for (std::uint64_t offset = 0; offset < section.bytes.size();) {
        const auto entry = readCfiEntry(section, offset);
        if (!entry) break;
        offset = entry->next;
        if (entry->kind == CfiEntry::Kind::terminator && endsAtTerminator) break;
        if (entry->kind != CfiEntry::Kind::fde) continue;
        const auto fde = parseFde(section, *entry, lastCie ? &*lastCie : nullptr);
        if (!fde) continue;
        lastCie = fde->cie;
        // In .debug_frame the linker sets the begin of functions it dropped to zero.
        const bool dropped = section.kind == CfiSection::Kind::debug_frame && fde->begin == 0;
        if (!dropped && fde->begin < fde->end)
            index.entries_.push_back({fde->begin, fde->end, fde->offset});
    }
    std::ranges::stable_sort(index.entries_, {}, &Entry::begin);
    return index;
}

std::optional<std::uint64_t> FdeIndex::find(std::uint64_t address) const {
    auto next = std::ranges::upper_bound(entries_, address, {}, &Entry::begin);
    if (next == entries_.begin()) return std::nullopt;
    --next;
    if (address >= next->end) return std::nullopt;
    return next->offset;
}

}  // namespace icecore
