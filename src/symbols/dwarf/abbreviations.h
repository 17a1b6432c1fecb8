// .debug_abbrev: the shapes of debugging information entries (DWARF 5, 7.5.3).
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bytes/byte_view.h"

namespace icecore::dwarf {

struct AttributeSpec {
    std::uint16_t attribute = 0, form = 0;
    std::int64_t constant = 0;  ///< of form_implicit_const
};

/// A number of bytes that depends on the unit: so many plain, addresses and section offsets.
struct FixedSize {
    std::uint32_t bytes = 0, addresses = 0, offsets = 0;
};

struct Abbreviation {
    std::uint64_t code = 0;
    std::uint16_t tag = 0;
    bool children = false;
    bool hasSibling = false;
    /// The size of all attributes, when it is the same for every entry: those are skipped in one
    /// go.
    std::optional<FixedSize> fixed;
    std::uint32_t first = 0, count = 0;  ///< into the table's specs
};

class AbbreviationTable {
public:
    /// Reads up to the table's end, or up to what is damaged.
    explicit AbbreviationTable(ByteView bytes);
    [[nodiscard]] const Abbreviation* find(std::uint64_t code) const {
        // Compilers number from 1 without gaps.
        if (code - 1 < entries_.size() && entries_[static_cast<std::size_t>(code - 1)].code == code)
            return &entries_[static_cast<std::size_t>(code - 1)];
        return findSlowly(code);
    }
    [[nodiscard]] const AttributeSpec* specs(const Abbreviation& entry) const {
        return specs_.data() + entry.first;
    }

private:
    [[nodiscard]] const Abbreviation* findSlowly(std::uint64_t code) const;
    std::vector<Abbreviation> entries_;
    std::vector<AttributeSpec> specs_;
    std::unordered_map<std::uint64_t, std::size_t> sparse_;
};

/// The size of a form that does not depend on the entry, or nothing.
std::optional<FixedSize> fixedSizeOf(std::uint16_t form);

}  // namespace icecore::dwarf
