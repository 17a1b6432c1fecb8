// From a code address to the FDE that covers it: the linker's table, or one of our own.
#pragma once

#include <optional>
#include <vector>

#include "unwind/cfi_entry.h"

namespace icecore {

/// .eh_frame_hdr: where .eh_frame is, and a table sorted by address that the linker made.
/// Layout: Linux Standard Base Core 5.0, chapter 10.6.2.
class EhFrameHeader {
public:
    /// `bytes` are the section's, `bases.section` its link-time address. The table may be missing
    /// or of an encoding that cannot be searched: then hasTable() is false.
    static Result<EhFrameHeader> parse(ByteView bytes, PointerBases bases);

    /// Link-time address of .eh_frame.
    [[nodiscard]] std::uint64_t ehFrameAddress() const { return ehFrameAddress_; }
    [[nodiscard]] bool hasTable() const { return count_ != 0; }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// Link-time address of the last FDE that begins at or before `address`. Whether it covers
    /// the address, and whether it is an FDE at all, is for the caller to check.
    [[nodiscard]] std::optional<std::uint64_t> find(std::uint64_t address) const;

private:
    [[nodiscard]] std::uint64_t field(std::uint64_t index, std::uint64_t which) const;

    ByteView bytes_;
    PointerBases bases_;
    std::uint64_t ehFrameAddress_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t tableOffset_ = 0;
    std::uint8_t encoding_ = dw_eh_pe::omit;
    std::uint8_t fieldSize_ = 0;
};

/// All FDEs of a section, sorted by address: for sections without a linker's table.
class FdeIndex {
public:
    /// Damaged entries are left out; a damaged length ends the section. With `endsAtTerminator`
    /// the first zero length ends it too (needed where the section's size is not known);
    /// otherwise zeros are padding. Memory: 24 bytes per FDE, each of which takes more than that
    /// in the section or little less.
    static FdeIndex build(const CfiSection& section, bool endsAtTerminator);

    /// Offset of an FDE that covers `address` (link-time).
    [[nodiscard]] std::optional<std::uint64_t> find(std::uint64_t address) const;

    struct Entry {
        std::uint64_t begin, end, offset;
    };
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    std::vector<Entry> entries_;
};

}  // namespace icecore
