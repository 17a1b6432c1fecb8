// What values of attributes mean: texts, addresses, references, ranges of code. The indices among
// them lead through tables of other sections (DWARF 5, 7.26 to 7.28).
#include "bytes/text_at.h"
#include "symbols/dwarf/constants.h"
#include "symbols/dwarf/unit.h"

namespace icecore::dwarf {

namespace {

/// Where linkers put the addresses of code they have discarded.
bool isDiscarded(std::uint64_t low) {
    return low == 0 || low >= UINT64_MAX - 1;
}

}  // namespace

std::string_view Unit::text(const Value& value) const {
    switch (value.form) {
    case form_string: return value.text;
    case form_strp: return textAt(file->section(SectionId::str), value.number);
    case form_line_strp: return textAt(file->section(SectionId::line_str), value.number);
    case form_strx:
    case form_strx1:
    case form_strx2:
    case form_strx3:
    case form_strx4:
    case form_gnu_str_index: {
        const auto scaled = checkedMultiply(value.number, offsetSize);
        const auto at = scaled ? checkedAdd(strOffsetsBase, *scaled) : std::nullopt;
        if (!at) return {};
        Cursor cursor(file->section(SectionId::str_offsets).slice(*at));
        const std::uint64_t inSection = cursor.unsignedOf(offsetSize);
        return cursor.ok() ? textAt(file->section(SectionId::str), inSection) : std::string_view{};
    }
    default: return {};
    }
}

std::optional<std::uint64_t> Unit::indexedAddress(std::uint64_t index) const {
    // The addresses of a split unit stay in the main file.
    const Unit& home = skeleton != nullptr ? *skeleton : *this;
    const auto scaled = checkedMultiply(index, addressSize);
    const auto at = scaled ? checkedAdd(home.addrBase, *scaled) : std::nullopt;
    if (!at) return std::nullopt;
    Cursor cursor(home.file->section(SectionId::addr).slice(*at));
    const std::uint64_t value = cursor.unsignedOf(addressSize);
    return cursor.ok() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> Unit::address(const Value& value) const {
    switch (value.form) {
    case form_addr: return value.number;
    case form_addrx:
    case form_addrx1:
    case form_addrx2:
    case form_addrx3:
    case form_addrx4:
    case form_gnu_addr_index: return indexedAddress(value.number);
    default: return std::nullopt;
    }
}

std::optional<std::uint64_t> Unit::localReference(const Value& value) const {
    switch (value.form) {
    case form_ref1:
    case form_ref2:
    case form_ref4:
    case form_ref8:
    case form_ref_udata: {
        const auto at = checkedAdd(offset, value.number);
        if (at && *at >= firstEntry && *at <= end) return at;
        return std::nullopt;
    }
    default: return std::nullopt;
    }
}

void Unit::codeRanges(const Value& low, const Value& high, const Value& list,
                      std::vector<Range>& out) const {
    if (list.present()) {
        if (version >= 5) {
            if (list.form != form_rnglistx) {
                if (const auto at = checkedAdd(list.number, parts.rnglists))
                    readRangeList(*at, out);
                return;
            }
            const auto scaled = checkedMultiply(list.number, offsetSize);
            const auto at = scaled ? checkedAdd(rnglistsBase, *scaled) : std::nullopt;
            if (!at) return;
            Cursor cursor(file->section(SectionId::rnglists).slice(*at));
            const std::uint64_t inside = cursor.unsignedOf(offsetSize);
            const auto start = checkedAdd(rnglistsBase, inside);
            if (cursor.ok() && start) readRangeList(*start, out);
        } else {
            readLegacyRanges(list.number, out);
        }
        return;
    }
    const auto start = address(low);
    if (!start || isDiscarded(*start)) return;
    if (const auto end64 = address(high)) {
        if (*end64 > *start) out.push_back(Range::between(*start, *end64));
    } else if (high.present()) {  // since version 4 a length
        out.push_back(Range::ofSize(*start, high.number));
    }
}

void Unit::readLegacyRanges(std::uint64_t at, std::vector<Range>& out) const {
    // In split units (GNU, version 4) the lists stay in the main file, from a base on.
    const Unit& home = skeleton != nullptr ? *skeleton : *this;
    const auto start = checkedAdd(at, skeleton != nullptr ? skeleton->rangesBase : 0);
    if (!start) return;
    Cursor cursor(home.file->section(SectionId::ranges).slice(*start));
    std::uint64_t base = lowPc;
    const std::uint64_t largest = addressSize == 4 ? UINT32_MAX : UINT64_MAX;
    while (cursor.canHold(2, addressSize)) {
        const std::uint64_t low = cursor.unsignedOf(addressSize);
        const std::uint64_t high = cursor.unsignedOf(addressSize);
        if (low == 0 && high == 0) return;
        if (low == largest) {
            base = high;
        } else if (high > low && !isDiscarded(base + low)) {
            out.push_back(Range::between(base + low, base + high));
        }
    }
}

void Unit::readRangeList(std::uint64_t at, std::vector<Range>& out) const {
    Cursor cursor(file->section(SectionId::rnglists).slice(at));
    std::uint64_t base = lowPc;
    const auto add = [&](std::optional<std::uint64_t> low, std::optional<std::uint64_t> high) {
        if (low && high && *high > *low && !isDiscarded(*low))
            out.push_back(Range::between(*low, *high));
    };
    while (cursor.ok()) {
        switch (cursor.u8()) {
        case rle_base_addressx: base = indexedAddress(cursor.uleb()).value_or(0); break;
        case rle_startx_endx: {
            const auto low = indexedAddress(cursor.uleb());
            add(low, indexedAddress(cursor.uleb()));
            break;
        }
        case rle_startx_length: {
            const auto low = indexedAddress(cursor.uleb());
            const std::uint64_t length = cursor.uleb();
            if (low) add(low, Range::ofSize(*low, length).end());
            break;
        }
        case rle_offset_pair: {
            const std::uint64_t low = base + cursor.uleb();
            if (const std::uint64_t high = base + cursor.uleb(); base < UINT64_MAX - 1)
                add(low, high);
            break;
        }
        case rle_base_address: base = cursor.unsignedOf(addressSize); break;
        case rle_start_end: {
            const std::uint64_t low = cursor.unsignedOf(addressSize);
            add(low, cursor.unsignedOf(addressSize));
            break;
        }
        case rle_start_length: {
            const std::uint64_t low = cursor.unsignedOf(addressSize);
            add(low, Range::ofSize(low, cursor.uleb()).end());
            break;
        }
        default: return;  // the list's end, or nothing known
        }
    }
}

}  // namespace icecore::dwarf
