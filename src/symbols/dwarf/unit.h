// A unit of .debug_info or .debug_types: its header, its own entry, and how its attributes are
// read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/range.h"
#include "bytes/cursor.h"
#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/file.h"
#include "symbols/dwarf/line_table.h"

namespace icecore::dwarf {

/// An attribute's value, undecoded as far as possible.
struct Value {
    std::uint16_t form = 0;  ///< 0: the entry does not have the attribute
    std::uint64_t number = 0;
    std::string_view text;  ///< of form_string; the bytes of blocks and expressions
    [[nodiscard]] bool present() const { return form != 0; }
    [[nodiscard]] ByteView block() const { return ByteView(std::as_bytes(std::span(text))); }
};

/// The attributes that matter here, of one entry.
struct Entry {
    std::uint64_t offset = 0;  ///< in the unit's section
    std::uint16_t tag = 0;
    bool children = false;
    bool declaration = false;
    Value name, linkageName, lowPc, highPc, ranges, entryPc, sibling, origin, specification,
        callFile, callLine;
};

/// An entry with all its attributes: what types and variables are read from.
struct FullEntry {
    std::uint64_t offset = 0;  ///< in the unit's section
    std::uint64_t behind = 0;  ///< where its first child is, if it has children
    std::uint16_t tag = 0;     ///< 0: the mark behind an entry's last child
    bool children = false;
    std::vector<std::pair<std::uint16_t, Value>> attributes;
    /// Absent (Value::present()) when the entry does not have it.
    [[nodiscard]] Value value(std::uint16_t attribute) const {
        for (const auto& [number, value] : attributes) {
            if (number == attribute) return value;
        }
        return {};
    }
    [[nodiscard]] bool flag(std::uint16_t attribute) const { return value(attribute).number != 0; }
};

/// A function's piece of code and the entry that describes it.
struct FunctionRange {
    Range range;
    std::uint64_t entry = 0;
};

class Unit {
public:
    // The header.
    const File* file = nullptr;
    SectionId section = SectionId::info;
    std::uint64_t offset = 0, end = 0, firstEntry = 0;  ///< in `section`
    std::uint64_t abbreviationOffset = 0;
    std::uint64_t dwoId = 0;
    std::uint64_t signature = 0;   ///< of a type unit: what DW_FORM_ref_sig8 names it by
    std::uint64_t typeOffset = 0;  ///< of a type unit: from `offset` to the type's entry
    std::uint16_t version = 0;
    std::uint8_t addressSize = 8, offsetSize = 4, type = 0;
    [[nodiscard]] bool isTypeUnit() const { return type == ut_type || type == ut_split_type; }

    // The unit's own entry.
    std::uint64_t strOffsetsBase = 0, addrBase = 0, rnglistsBase = 0, rangesBase = 0;
    std::uint64_t loclistsBase = 0;
    std::uint64_t lowPc = 0, language = 0;
    std::optional<std::uint64_t> lineOffset;
    std::string_view compDir, name, dwoName;
    Value ranges, highPc;
    bool hasLowPc = false;
    /// Of a split unit: the unit in the main file that stands for it. Type units of a package have
    /// none: several compilations may share them.
    const Unit* skeleton = nullptr;
    /// Which list of units (DebugData's) it is in.
    std::uint64_t container = 0;
    /// In a package: where in each section the part of this unit's own .dwo file begins.
    struct Parts {
        std::uint64_t strOffsets = 0, rnglists = 0, loclists = 0, loc = 0;
    };
    Parts parts;

    /// Reads the header at `offset` of .debug_info or .debug_types; null when it is damaged. `next`
    /// receives where the following header is, 0 when that cannot be known.
    static std::unique_ptr<Unit> readHeader(const File& file, SectionId section,
                                            std::uint64_t offset, std::uint64_t* next);
    /// Reads the unit's own entry into the fields above; once.
    void readOwnEntry();

    [[nodiscard]] Cursor cursorAt(std::uint64_t at) const;
    [[nodiscard]] const AbbreviationTable& abbreviations() const;
    /// Skips all attributes of an entry. False at a form nobody knows: the unit ends there.
    bool skipAttributes(Cursor& cursor, const Abbreviation& entry) const;
    /// Reads the attributes of an entry whose code has been read.
    bool readAttributes(Cursor& cursor, const Abbreviation& abbreviation, Entry& entry) const;
    /// The entry at an offset of the section; nothing when there is none.
    [[nodiscard]] std::optional<Entry> entryAt(std::uint64_t at) const;
    [[nodiscard]] std::optional<FullEntry> fullEntryAt(std::uint64_t at) const;
    /// Visits the children of an entry, not theirs, until `visit` returns false. False where the
    /// entries are damaged.
    bool children(const FullEntry& parent,
                  const std::function<bool(const FullEntry&)>& visit) const;
    /// Skips the children of an entry (the cursor stands in front of the first one).
    bool skipChildren(Cursor& cursor) const;

    [[nodiscard]] std::string_view text(const Value& value) const;
    [[nodiscard]] std::optional<std::uint64_t> address(const Value& value) const;
    /// The entry of .debug_addr with that number.
    [[nodiscard]] std::optional<std::uint64_t> indexedAddress(std::uint64_t index) const;
    /// Offset in the section that a reference inside this unit means; nothing for other references.
    [[nodiscard]] std::optional<std::uint64_t> localReference(const Value& value) const;
    /// Appends the code ranges of an entry.
    void codeRanges(const Value& low, const Value& high, const Value& list,
                    std::vector<Range>& out) const;

    /// Functions with code, sorted by address. `deep`: also those inside functions and types, at
    /// the price of walking the whole unit.
    [[nodiscard]] const std::vector<FunctionRange>& functions(bool deep) const;
    /// The function that contains an address, or null.
    [[nodiscard]] const FunctionRange* functionAt(std::uint64_t at) const;
    [[nodiscard]] const LineTable& lines() const;

    bool readValue(Cursor& cursor, const AttributeSpec& spec, Value& value) const;

private:
    void readLegacyRanges(std::uint64_t at, std::vector<Range>& out) const;
    void readRangeList(std::uint64_t at, std::vector<Range>& out) const;
    bool readFullEntry(Cursor& cursor, FullEntry& entry) const;
    bool indexFunctions(bool deep, std::vector<FunctionRange>& out) const;

    std::once_flag ownEntryOnce_;
    mutable std::once_flag functionsOnce_, deepOnce_, linesOnce_;
    mutable std::vector<FunctionRange> functions_, deepFunctions_;
    mutable bool somethingSkipped_ = false;
    mutable std::unique_ptr<LineTable> lines_;
};

}  // namespace icecore::dwarf
