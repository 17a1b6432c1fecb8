#include "unwind/cfi_entry.h"

#include "base/range.h"
#include "base/text.h"
#include "bytes/cursor.h"

namespace icecore {

namespace {

constexpr std::uint32_t dwarf64Escape = 0xffffffff;
constexpr std::uint32_t reservedLengths = 0xfffffff0;

std::unexpected<Error> malformed(const CfiSection& section, std::uint64_t offset,
                                 std::string what) {
    return fail(Errc::malformed, std::move(what), section.bytes.where(offset));
}

/// The augmentation string's letters and their data. Returns false when a letter is unknown and
/// nothing says how long its data is.
bool readAugmentation(const CfiSection& section, std::string_view letters, Cursor& cursor,
                      Cie& cie) {
    std::uint64_t dataEnd = 0;
    if (letters.starts_with('z')) {
        cie.hasAugmentationData = true;
        const std::uint64_t length = cursor.uleb();
        if (length > cursor.remaining()) return false;
        dataEnd = cursor.position() + length;
        letters.remove_prefix(1);
    }
    for (const char letter : letters) {
        switch (letter) {
        case 'L': cursor.skip(1); continue;
        case 'R': cie.pointerEncoding = cursor.u8(); continue;
        case 'S': cie.signalFrame = true; continue;
        case 'B': cie.signedWithKeyB = true; continue;
        case 'G': continue;  // arm64: the frame is tagged by MTE; nothing changes for unwinding
        case 'P': {
            const std::uint8_t encoding = cursor.u8();
            if (!readEncodedPointer(cursor, encoding, section.bases) && encoding != dw_eh_pe::omit)
                return false;
            continue;
        }
        default: break;
        }
        if (!cie.hasAugmentationData) return false;
        break;  // an unknown letter: the rest of the data is skipped by its length
    }
    if (cie.hasAugmentationData) cursor.seek(dataEnd);
    return true;
}

}  // namespace

Result<CfiEntry> readCfiEntry(const CfiSection& section, std::uint64_t offset) {
    Cursor cursor(section.bytes);
    cursor.seek(offset);
    CfiEntry entry;
    entry.offset = offset;
    std::uint64_t length = cursor.u32();
    if (length == dwarf64Escape) {
        entry.dwarf64 = true;
        length = cursor.u64();
    } else if (length >= reservedLengths) {
        return malformed(section, offset, "reserved length of a CFI entry");
    }
    TRY(cursor.status("a CFI entry"));
    if (length == 0) {
        // .eh_frame ends here; .debug_frame knows no terminator, but linkers pad with zeros.
        entry.kind = CfiEntry::Kind::terminator;
        entry.next = cursor.position();
        return entry;
    }
    if (length > cursor.remaining())
        return malformed(section, offset, "a CFI entry leads out of its section");
    entry.next = cursor.position() + length;

    const std::uint64_t idAt = cursor.position();
    if (section.kind == CfiSection::Kind::eh_frame) {
        // The id is 4 bytes even behind an extended length, and counts back from itself.
        const std::uint64_t id = cursor.u32();
        entry.kind = id == 0 ? CfiEntry::Kind::cie : CfiEntry::Kind::fde;
        if (id > idAt) return malformed(section, idAt, "an FDE names a CIE before the section");
        entry.cieOffset = idAt - id;
    } else {
        const std::uint64_t id = entry.dwarf64 ? cursor.u64() : cursor.u32();
        const bool isCie = id == (entry.dwarf64 ? UINT64_MAX : UINT32_MAX);
        entry.kind = isCie ? CfiEntry::Kind::cie : CfiEntry::Kind::fde;
        entry.cieOffset = id;
    }
    entry.bodyOffset = cursor.position();
    if (!cursor.ok() || entry.bodyOffset > entry.next)
        return malformed(section, offset, "a CFI entry is too short for its id");
    return entry;
}

Result<Cie> parseCie(const CfiSection& section, std::uint64_t offset) {
    ASSIGN_OR_RETURN(const CfiEntry entry, readCfiEntry(section, offset));
    if (entry.kind != CfiEntry::Kind::cie)
        return malformed(section, offset, "an FDE names something that is not a CIE");
    Cursor cursor(section.bytes.slice(0, entry.next));
    cursor.seek(entry.bodyOffset);

    Cie cie;
    cie.offset = offset;
    cie.addressSize = section.bases.addressSize;
    cie.version = cursor.u8();
    if (cie.version != 1 && cie.version != 3 && cie.version != 4)
        return malformed(section, offset, "CIE version " + std::to_string(cie.version));
    std::string_view augmentation = cursor.cString();
    if (cie.version >= 4) {
        cie.addressSize = cursor.u8();
        cie.segmentSize = cursor.u8();
        if (cie.addressSize != 4 && cie.addressSize != 8)
            return malformed(section, offset,
                             "CIE with addresses of " + std::to_string(cie.addressSize) + " bytes");
    }
    if (augmentation.starts_with("eh")) {  // GCC 2: a pointer to its exception table
        cursor.skip(cie.addressSize);
        augmentation.remove_prefix(2);
    }
    cie.codeAlignment = cursor.uleb();
    cie.dataAlignment = cursor.sleb();
    cie.returnRegister = cie.version == 1 ? cursor.u8() : cursor.uleb();
    if (!readAugmentation(section, augmentation, cursor, cie))
        return malformed(section, offset,
                         "CIE augmentation \"" + printable(augmentation) + "\" is not known");
    TRY(cursor.status("a CIE"));
    cie.instructions = section.bytes.slice(cursor.position(), entry.next - cursor.position());
    return cie;
}

Result<Fde> parseFde(const CfiSection& section, const CfiEntry& entry, const Cie* known) {
    if (entry.kind != CfiEntry::Kind::fde) return malformed(section, entry.offset, "not an FDE");
    Fde fde;
    fde.offset = entry.offset;
    if (known != nullptr && known->offset == entry.cieOffset) {
        fde.cie = *known;
    } else {
        ASSIGN_OR_RETURN(fde.cie, parseCie(section, entry.cieOffset));
    }
    Cursor cursor(section.bytes.slice(0, entry.next));
    cursor.seek(entry.bodyOffset);
    cursor.skip(fde.cie.segmentSize);
    PointerBases bases = section.bases;
    bases.addressSize = fde.cie.addressSize;
    const std::uint8_t encoding = section.kind == CfiSection::Kind::eh_frame
                                      ? fde.cie.pointerEncoding
                                      : std::uint8_t{dw_eh_pe::absptr};
    const auto begin = readEncodedPointer(cursor, encoding, bases);
    const auto size = readEncodedPointer(cursor, encoding & dw_eh_pe::formatMask, bases);
    if (!begin || !size)
        return malformed(section, entry.offset,
                         "pointer encoding " + hex(encoding) + " is not known");
    if (fde.cie.hasAugmentationData) cursor.skip(cursor.uleb());
    TRY(cursor.status("an FDE"));
    const Range range = Range::ofSize(*begin, *size);
    fde.begin = range.begin();
    fde.end = range.end();
    fde.instructions = section.bytes.slice(cursor.position(), entry.next - cursor.position());
    return fde;
}

Result<Fde> parseFde(const CfiSection& section, std::uint64_t offset) {
    ASSIGN_OR_RETURN(const CfiEntry entry, readCfiEntry(section, offset));
    return parseFde(section, entry, nullptr);
}

}  // namespace icecore
