#include "symbols/dwarf/package.h"

#include <optional>

#include "bytes/cursor.h"

namespace icecore::dwarf {

namespace {

/// Columns are headed by numbers: DW_SECT_…, of which some changed their meaning with version 5.
std::optional<PackagePart> partOf(std::uint32_t number, bool five) {
    switch (number) {
    case 1: return PackagePart::info;
    case 2: return five ? std::nullopt : std::optional(PackagePart::types);
    case 3: return PackagePart::abbrev;
    case 4: return PackagePart::line;
    case 5: return five ? PackagePart::loclists : PackagePart::loc;
    case 6: return PackagePart::str_offsets;
    case 8: return five ? std::optional(PackagePart::rnglists) : std::nullopt;
    default: return std::nullopt;  // macros
    }
}

/// The unit that a row means, when it begins where the row says.
Unit* unitAt(const Units& units, std::uint64_t offset) {
    const std::size_t index = units.containing(offset);
    return index != units.size() && units[index].offset == offset ? &units[index] : nullptr;
}

void place(Unit& unit, const PackageRow& row) {
    unit.abbreviationOffset =
        checkedAdd(unit.abbreviationOffset, row.of(PackagePart::abbrev)).value_or(UINT64_MAX);
    unit.parts = {row.of(PackagePart::str_offsets), row.of(PackagePart::rnglists),
                  row.of(PackagePart::loclists), row.of(PackagePart::loc)};
}

}  // namespace

std::vector<PackageRow> readPackageIndex(ByteView index) {
    Cursor cursor(index);
    // Version 5 made the first field half as wide, with zeros behind it.
    const std::uint32_t version = cursor.u32();
    const std::uint32_t columns = cursor.u32(), units = cursor.u32(), slots = cursor.u32();
    const bool five = version == 5;
    if (!cursor.ok() || (version != 2 && !five) || columns == 0) return {};
    constexpr std::size_t signatureSize = 8, numberSize = 4;
    if (!cursor.canHold(slots, signatureSize + numberSize)) return {};
    const std::uint64_t signatures = cursor.position();
    const std::uint64_t numbers = signatures + std::uint64_t{slots} * signatureSize;
    const std::uint64_t heads = numbers + std::uint64_t{slots} * numberSize;
    cursor.seek(heads);
    if (!cursor.canHold(columns, numberSize)) return {};
    std::vector<std::optional<PackagePart>> parts;
    parts.reserve(columns);
    for (std::uint32_t i = 0; i < columns; ++i)
        parts.push_back(partOf(cursor.u32(), five));
    const std::uint64_t offsets = cursor.position();
    const std::uint64_t rowSize = std::uint64_t{columns} * numberSize;
    // Offsets of all units come first, then sizes, which the units' own lengths repeat.
    if (units > cursor.remaining() / rowSize) return {};

    std::vector<PackageRow> rows;
    std::vector<bool> taken(units);
    Cursor signature(index), number(index);
    signature.seek(signatures);
    number.seek(numbers);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        PackageRow row;
        row.signature = signature.u64();
        const std::uint32_t which = number.u32();  // from 1; 0: the slot is free
        if (which == 0 || which > units || taken[which - 1]) continue;
        taken[which - 1] = true;
        cursor.seek(offsets + (which - 1) * rowSize);
        for (const auto& part : parts) {
            const std::uint32_t begin = cursor.u32();
            if (part) row.begin[static_cast<std::size_t>(*part)] = begin;
        }
        rows.push_back(row);
    }
    return rows;
}

Package::Package(std::shared_ptr<const ElfImage> image, std::uint64_t number)
    : units_(std::move(image), true, number) {
    readTypes();
    readCompilations();
}

void Package::readTypes() {
    for (const PackageRow& row : readPackageIndex(units_.file.section(SectionId::tu_index))) {
        // Of version 4 they are in .debug_types, where they may begin at 0 as anywhere.
        const bool own = units_.types.size() != 0;
        Unit* unit = unitAt(own ? units_.types : units_.info,
                            row.of(own ? PackagePart::types : PackagePart::info));
        if (unit == nullptr || !unit->isTypeUnit() || unit->signature != row.signature) continue;
        if (!bySignature_.try_emplace(row.signature, unit).second) continue;
        place(*unit, row);
        typeUnits_.push_back(unit);
    }
}

void Package::readCompilations() {
    for (const PackageRow& row : readPackageIndex(units_.file.section(SectionId::cu_index))) {
        Unit* unit = unitAt(units_.info, row.of(PackagePart::info));
        if (unit == nullptr || unit->isTypeUnit()) continue;
        // Before version 5 the header does not repeat the id.
        if (unit->version >= 5 ? unit->dwoId != row.signature : unit->dwoId != 0) continue;
        unit->dwoId = row.signature;
        if (byId_.try_emplace(row.signature, unit).second) place(*unit, row);
    }
}

Unit* Package::compilation(const Unit& skeleton) {
    const auto found = byId_.find(skeleton.dwoId);
    if (found == byId_.end()) return nullptr;
    Unit* unit = found->second;
    const std::scoped_lock lock(mutex_);
    if (unit->skeleton != nullptr && unit->skeleton != &skeleton) return nullptr;
    unit->skeleton = &skeleton;
    unit->readOwnEntry();
    return unit;
}

}  // namespace icecore::dwarf
