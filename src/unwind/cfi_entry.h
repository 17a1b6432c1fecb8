// Call frame information as it lies in .eh_frame and .debug_frame: CIEs and FDEs.
// Layouts: DWARF 5, section 6.4.1; Linux Standard Base Core 5.0, chapter 10.6 (.eh_frame).
#pragma once

#include <cstdint>

#include "arch/registers.h"
#include "base/error.h"
#include "bytes/byte_view.h"
#include "unwind/dwarf_pointer.h"

namespace icecore {

/// One section of call frame information. The bytes belong to the image it comes from.
struct CfiSection {
    enum class Kind : std::uint8_t { eh_frame, debug_frame };
    ByteView bytes;
    Kind kind = Kind::eh_frame;
    Arch arch = Arch::unknown;
    PointerBases bases;  ///< `section` is the link-time address of the first byte
};

/// Common Information Entry: what the FDEs that name it share.
struct Cie {
    std::uint64_t offset = 0;  ///< in the section
    std::uint8_t version = 0;
    std::uint8_t addressSize = 8;
    std::uint8_t segmentSize = 0;
    std::uint64_t codeAlignment = 1;
    std::int64_t dataAlignment = 1;
    std::uint64_t returnRegister = 0;  ///< DWARF number
    std::uint8_t pointerEncoding = dw_eh_pe::absptr;
    bool hasAugmentationData = false;  ///< "z": FDEs carry the length of theirs
    bool signalFrame = false;          ///< "S": the caller's pc is exact, not a return address
    bool signedWithKeyB = false;       ///< "B" (arm64): return addresses are signed with key B
    ByteView instructions;
};

/// Frame Description Entry: how to unwind out of [begin, end), link-time addresses.
struct Fde {
    std::uint64_t offset = 0;  ///< in the section
    std::uint64_t begin = 0, end = 0;
    Cie cie;
    ByteView instructions;
    [[nodiscard]] bool covers(std::uint64_t address) const {
        return address >= begin && address < end;
    }
};

/// One entry's frame: what is needed to go on to the next or to parse it.
struct CfiEntry {
    enum class Kind : std::uint8_t { cie, fde, terminator };
    Kind kind = Kind::terminator;
    std::uint64_t offset = 0;      ///< of its length field
    std::uint64_t next = 0;        ///< offset of the entry behind it
    std::uint64_t cieOffset = 0;   ///< of the CIE an FDE names
    std::uint64_t bodyOffset = 0;  ///< first byte behind the id field
    bool dwarf64 = false;
};

/// The entry at `offset`. `next` is always beyond `offset`, so a loop over entries ends. An error
/// when the length leads out of the section.
Result<CfiEntry> readCfiEntry(const CfiSection& section, std::uint64_t offset);

/// The CIE at `offset`. Errors: not a CIE, unknown version, an augmentation that cannot be skipped.
Result<Cie> parseCie(const CfiSection& section, std::uint64_t offset);

/// The FDE at `offset` with its CIE. A range that would wrap around is cut at the highest address.
Result<Fde> parseFde(const CfiSection& section, std::uint64_t offset);

/// As parseFde for an entry already read; `known` (may be null) is used when it is the right CIE.
Result<Fde> parseFde(const CfiSection& section, const CfiEntry& entry, const Cie* known);

}  // namespace icecore
