#include "symbols/dwarf/location_list.h"

#include "symbols/dwarf/constants.h"

namespace icecore::dwarf {

namespace {

/// DWARF 5.
class List {
public:
    List(const Unit& unit, std::uint64_t at)
        : unit_(unit),
          cursor_(unit.file->section(SectionId::loclists).slice(at)),
          base_(unit.lowPc) {}

    std::optional<ByteView> find(std::uint64_t address) {
        std::optional<ByteView> otherwise;
        while (cursor_.ok() && !cursor_.atEnd()) {
            const std::uint8_t kind = cursor_.u8();
            if (kind == lle_end_of_list || kind > lle_start_length) break;
            if (kind == lle_base_addressx) {
                base_ = unit_.indexedAddress(cursor_.uleb());
                continue;
            }
            if (kind == lle_base_address) {
                base_ = cursor_.unsignedOf(unit_.addressSize);
                continue;
            }
            std::optional<std::uint64_t> low, high;
            bounds(kind, low, high);
            const ByteView expression = cursor_.bytes(cursor_.uleb());
            if (!cursor_.ok()) break;
            if (kind == lle_default_location) otherwise = expression;
            if (low && high && address >= *low && address < *high) return expression;
        }
        return otherwise;
    }

private:
    void bounds(std::uint8_t kind, std::optional<std::uint64_t>& low,
                std::optional<std::uint64_t>& high) {
        const auto behind = [](std::optional<std::uint64_t> start, std::uint64_t length) {
            return start ? checkedAdd(*start, length) : std::nullopt;
        };
        switch (kind) {
        case lle_startx_endx:
            low = unit_.indexedAddress(cursor_.uleb());
            high = unit_.indexedAddress(cursor_.uleb());
            break;
        case lle_startx_length:
            low = unit_.indexedAddress(cursor_.uleb());
            high = behind(low, cursor_.uleb());
            break;
        case lle_offset_pair: {
            const std::uint64_t from = cursor_.uleb(), to = cursor_.uleb();
            low = behind(base_, from);
            high = behind(base_, to);
            break;
        }
        case lle_start_end:
            low = cursor_.unsignedOf(unit_.addressSize);
            high = cursor_.unsignedOf(unit_.addressSize);
            break;
        case lle_start_length:
            low = cursor_.unsignedOf(unit_.addressSize);
            high = behind(low, cursor_.uleb());
            break;
        default: break;
        }
    }

    const Unit& unit_;
    Cursor cursor_;
    std::optional<std::uint64_t> base_;
};

/// DWARF 2 to 4, in the main file.
std::optional<ByteView> inOldList(const Unit& unit, std::uint64_t at, std::uint64_t address) {
    Cursor cursor(unit.file->section(SectionId::loc).slice(at));
    std::uint64_t base = unit.lowPc;
    const std::uint64_t largest = unit.addressSize == 4 ? UINT32_MAX : UINT64_MAX;
    while (cursor.canHold(2, unit.addressSize)) {
        const std::uint64_t low = cursor.unsignedOf(unit.addressSize);
        const std::uint64_t high = cursor.unsignedOf(unit.addressSize);
        if (low == 0 && high == 0) break;
        if (low == largest) {
            base = high;
            continue;
        }
        const ByteView expression = cursor.bytes(cursor.u16());
        if (!cursor.ok()) break;
        if (address - base >= low && address - base < high) return expression;
    }
    return std::nullopt;
}

/// The same of a split unit: its kinds are those of version 5, its lengths are not.
std::optional<ByteView> inOldSplitList(const Unit& unit, std::uint64_t at, std::uint64_t address) {
    Cursor cursor(unit.file->section(SectionId::loc).slice(at));
    constexpr std::uint8_t startLength = 3;  // DW_LLE_GNU_start_length_entry, what GCC writes
    while (cursor.ok() && !cursor.atEnd() && cursor.u8() == startLength) {
        const auto low = unit.indexedAddress(cursor.uleb());
        const std::uint32_t length = cursor.u32();
        const ByteView expression = cursor.bytes(cursor.u16());
        if (!cursor.ok()) break;
        if (low && address >= *low && address - *low < length) return expression;
    }
    return std::nullopt;
}

std::optional<ByteView> ofOffset(const Unit& unit, std::uint64_t offset, std::uint64_t address) {
    const auto at = checkedAdd(offset, unit.version >= 5 ? unit.parts.loclists : unit.parts.loc);
    if (!at) return std::nullopt;
    if (unit.version >= 5) return List(unit, *at).find(address);
    return unit.skeleton != nullptr ? inOldSplitList(unit, *at, address)
                                    : inOldList(unit, *at, address);
}

}  // namespace

std::optional<ByteView> locationAt(const Unit& unit, const Value& location, std::uint64_t address) {
    switch (location.form) {
    case form_exprloc:
    case form_block:
    case form_block1:
    case form_block2:
    case form_block4: return location.block();
    case form_loclistx: {
        const auto scaled = checkedMultiply(location.number, unit.offsetSize);
        const auto at = scaled ? checkedAdd(unit.loclistsBase, *scaled) : std::nullopt;
        if (!at) return std::nullopt;
        Cursor cursor(unit.file->section(SectionId::loclists).slice(*at));
        const auto start = checkedAdd(unit.loclistsBase, cursor.unsignedOf(unit.offsetSize));
        if (!cursor.ok() || !start) return std::nullopt;
        return List(unit, *start).find(address);
    }
    // Before there was a form for it, an offset was a plain number.
    case form_sec_offset:
    case form_data4:
    case form_data8: return ofOffset(unit, location.number, address);
    default: return std::nullopt;
    }
}

}  // namespace icecore::dwarf
