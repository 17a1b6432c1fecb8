// All debugging information of one ELF file: its units, the split ones, those of the package beside
// it and of the file that dwz made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbols/dwarf/package.h"
#include "symbols/dwarf/units.h"

namespace icecore::dwarf {

struct FunctionName {
    std::string linkage, qualified;
};

/// .debug_aranges or the units' own ranges: which unit an address is in.
struct UnitRange {
    Range range;
    std::size_t unit = 0;
};

/// A split unit's file and unit, found once per skeleton.
struct SplitUnit {
    std::once_flag once;
    std::unique_ptr<FileUnits> own;  ///< its .dwo file; null where it is in a package
    Unit* unit = nullptr;
};

/// An entry, by the unit that it stands in and its offset in that unit's section.
using EntryPlace = std::pair<const Unit*, std::uint64_t>;

/// Thread-safe; files that others refer to are opened at the first question that needs them.
class DebugData {
public:
    using Opener = std::function<std::shared_ptr<const ElfImage>(const std::filesystem::path&)>;

    DebugData(std::shared_ptr<const ElfImage> image, Opener opener);

    [[nodiscard]] const Units& units() const { return main_.info; }
    /// The unit of the main file whose code contains a link-time address, or null.
    const Unit* unitAt(std::uint64_t address);
    /// The unit that describes the code: the split one where there is one and its file can be had.
    const Unit& withCode(const Unit& unit);
    /// Visits all units that types and variables stand in (split ones for their skeletons, type
    /// units too), until `visit` returns false.
    void eachUnit(const std::function<bool(const Unit&)>& visit);
    /// The entry that a reference means.
    std::optional<EntryPlace> resolve(const Unit& unit, const Value& value);
    const FunctionName& nameOf(const Unit& unit, std::uint64_t entry);
    /// "ns::Class::" for an entry: the names of what it stands in.
    std::string scopesOf(const Unit& unit, std::uint64_t target);
    std::string_view textOf(const Unit& unit, const Value& value);

    // Entries by one number, which stays the same as long as this object.
    /// Nothing of more split files or larger sections than there can be numbers for.
    [[nodiscard]] std::optional<std::uint64_t> numberOf(const EntryPlace& place) const;
    [[nodiscard]] std::optional<EntryPlace> placeOf(std::uint64_t number) const;

private:
    /// The file with that number (FileUnits::numberOf), or null.
    [[nodiscard]] const FileUnits* fileOf(std::uint64_t number) const;
    [[nodiscard]] Package* package();
    void openSplit(const Unit& skeleton, SplitUnit& split, std::uint64_t number);
    std::optional<EntryPlace> resolveSignature(const Unit& from, std::uint64_t signature);
    void readAranges();
    void readOwnRanges();
    void readAlternate();
    FunctionName readName(const Unit& start, std::uint64_t startEntry);

    // Files of a module, by number.
    static constexpr std::uint64_t mainFile = 0, commonFile = 1, packageFile = 2, firstSplit = 3;

    Opener opener_;
    FileUnits main_;
    std::unique_ptr<SplitUnit[]> splits_;  ///< one for each of main_.info

    std::once_flag arangesOnce_, ownRangesOnce_, alternateOnce_, packageOnce_;
    std::vector<UnitRange> aranges_, ownRanges_;
    std::vector<bool> covered_;  ///< by .debug_aranges
    std::unique_ptr<FileUnits> alternate_;
    std::unique_ptr<Package> package_;

    std::mutex namesMutex_;
    std::unordered_map<const Unit*, std::unordered_map<std::uint64_t, FunctionName>> names_;
};

}  // namespace icecore::dwarf
