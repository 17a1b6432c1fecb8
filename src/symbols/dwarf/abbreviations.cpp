#include "symbols/dwarf/abbreviations.h"

#include "bytes/cursor.h"
#include "symbols/dwarf/constants.h"

namespace icecore::dwarf {

std::optional<FixedSize> fixedSizeOf(std::uint16_t form) {
    switch (form) {
    case form_flag_present:
    case form_implicit_const: return FixedSize{};
    case form_data1:
    case form_ref1:
    case form_flag:
    case form_strx1:
    case form_addrx1: return FixedSize{.bytes = 1};
    case form_data2:
    case form_ref2:
    case form_strx2:
    case form_addrx2: return FixedSize{.bytes = 2};
    case form_strx3:
    case form_addrx3: return FixedSize{.bytes = 3};
    case form_data4:
    case form_ref4:
    case form_strx4:
    case form_addrx4:
    case form_ref_sup4: return FixedSize{.bytes = 4};
    case form_data8:
    case form_ref8:
    case form_ref_sig8:
    case form_ref_sup8: return FixedSize{.bytes = 8};
    case form_data16: return FixedSize{.bytes = 16};
    case form_addr: return FixedSize{.addresses = 1};
    case form_strp:
    case form_line_strp:
    case form_sec_offset:
    case form_strp_sup:
    case form_gnu_ref_alt:
    case form_gnu_strp_alt: return FixedSize{.offsets = 1};
    default: return std::nullopt;  // form_ref_addr depends on the version, too
    }
}

AbbreviationTable::AbbreviationTable(ByteView bytes) {
    Cursor cursor(bytes);
    bool dense = true;
    while (cursor.ok()) {
        Abbreviation entry;
        entry.code = cursor.uleb();
        if (entry.code == 0) break;
        entry.tag = static_cast<std::uint16_t>(cursor.uleb());
        entry.children = cursor.u8() != 0;
        entry.first = static_cast<std::uint32_t>(specs_.size());
        FixedSize size;
        bool isFixed = true;
        while (cursor.ok()) {
            AttributeSpec spec;
            spec.attribute = static_cast<std::uint16_t>(cursor.uleb());
            spec.form = static_cast<std::uint16_t>(cursor.uleb());
            if (spec.form == form_implicit_const) spec.constant = cursor.sleb();
            if (spec.attribute == 0 && spec.form == 0) break;
            if (spec.attribute == at_sibling) entry.hasSibling = true;
            if (const auto fixed = fixedSizeOf(spec.form)) {
                size.bytes += fixed->bytes;
                size.addresses += fixed->addresses;
                size.offsets += fixed->offsets;
            } else {
                isFixed = false;
            }
            specs_.push_back(spec);
        }
        if (!cursor.ok()) break;
        entry.count = static_cast<std::uint32_t>(specs_.size()) - entry.first;
        if (isFixed) entry.fixed = size;
        dense = dense && entry.code == entries_.size() + 1;
        entries_.push_back(entry);
    }
    if (dense) return;
    for (std::size_t i = 0; i < entries_.size(); ++i)
        sparse_.emplace(entries_[i].code, i);
}

const Abbreviation* AbbreviationTable::findSlowly(std::uint64_t code) const {
    const auto found = sparse_.find(code);
    return found == sparse_.end() ? nullptr : &entries_[found->second];
}

}  // namespace icecore::dwarf
