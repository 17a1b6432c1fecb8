// A package of split units (.dwp): what was in many .dwo files, with an index of which part of each
// section was whose.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "symbols/dwarf/units.h"

namespace icecore::dwarf {

/// The sections whose parts a unit's own numbers count from.
enum class PackagePart : std::uint8_t {
    info,
    types,
    abbrev,
    line,
    loc,
    loclists,
    str_offsets,
    rnglists,
    count
};

/// One unit of .debug_cu_index or .debug_tu_index.
struct PackageRow {
    std::uint64_t signature = 0;  ///< of a compilation: its DW_AT_dwo_id
    /// Where each part begins in its section; 0 of a section that the unit has nothing in.
    std::array<std::uint64_t, static_cast<std::size_t>(PackagePart::count)> begin{};
    [[nodiscard]] std::uint64_t of(PackagePart part) const {
        return begin[static_cast<std::size_t>(part)];
    }
};

/// The rows that slots lead to; nothing of an index that is damaged or of an unknown version.
/// Source: DWARF 5, 7.3.5.3; version 2 (GNU, for DWARF 4): GCC's wiki page DebugFissionDWP.
std::vector<PackageRow> readPackageIndex(ByteView index);

/// Thread-safe. A compilation in it belongs to the first skeleton that asks for it.
class Package {
public:
    Package(std::shared_ptr<const ElfImage> image, std::uint64_t number);
    /// The unit with that skeleton's id, or null.
    Unit* compilation(const Unit& skeleton);
    /// The type unit of that signature, or null.
    [[nodiscard]] Unit* typeUnit(std::uint64_t signature) const {
        const auto found = bySignature_.find(signature);
        return found == bySignature_.end() ? nullptr : found->second;
    }
    [[nodiscard]] const std::vector<Unit*>& typeUnits() const { return typeUnits_; }
    [[nodiscard]] const FileUnits& units() const { return units_; }

private:
    void readTypes();
    void readCompilations();

    FileUnits units_;
    std::unordered_map<std::uint64_t, Unit*> byId_, bySignature_;
    std::vector<Unit*> typeUnits_;
    std::mutex mutex_;
};

}  // namespace icecore::dwarf
