// All debugging information of one ELF file: its units, the split ones and the file that dwz made.
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

#include "symbols/dwarf/file.h"
#include "symbols/dwarf/unit.h"

namespace icecore::dwarf {

struct FunctionName {
    std::string linkage, qualified;
};

/// .debug_aranges or the units' own ranges: which unit an address is in.
struct UnitRange {
    Range range;
    std::size_t unit = 0;
};

/// The units of one .debug_info, in order.
class Units {
public:
    explicit Units(const File& file) {
        const std::uint64_t size = file.section(SectionId::info).size();
        std::uint64_t next = 0;
        for (std::uint64_t at = 0; at < size; at = next) {
            auto unit = Unit::readHeader(file, at, &next);
            if (unit) units_.push_back(std::move(unit));
            if (next <= at) break;
        }
    }
    [[nodiscard]] std::size_t size() const { return units_.size(); }
    [[nodiscard]] Unit& operator[](std::size_t i) const { return *units_[i]; }
    /// Index of the unit that contains an offset of .debug_info, or size().
    [[nodiscard]] std::size_t containing(std::uint64_t offset) const {
        auto after = std::upper_bound(
            units_.begin(), units_.end(), offset,
            [](std::uint64_t at, const std::unique_ptr<Unit>& unit) { return at < unit->offset; });
        if (after == units_.begin() || offset >= (*std::prev(after))->end) return units_.size();
        return static_cast<std::size_t>(std::prev(after) - units_.begin());
    }

private:
    std::vector<std::unique_ptr<Unit>> units_;
};

/// A split unit's file and unit, found once per skeleton.
struct SplitUnit {
    std::once_flag once;
    std::unique_ptr<File> file;
    std::unique_ptr<Units> units;
    Unit* unit = nullptr;
};

/// An entry, by the unit that it stands in and its offset in that unit's .debug_info.
using EntryPlace = std::pair<const Unit*, std::uint64_t>;

/// Thread-safe; files that others refer to are opened at the first question that needs them.
class DebugData {
public:
    using Opener = std::function<std::shared_ptr<const ElfImage>(const std::filesystem::path&)>;

    DebugData(std::shared_ptr<const ElfImage> image, Opener opener);

    [[nodiscard]] const Units& units() const { return units_; }
    /// The unit of the main file whose code contains a link-time address, or null.
    const Unit* unitAt(std::uint64_t address);
    /// The unit that describes the code: the split one where there is one and its file can be had.
    const Unit& withCode(const Unit& unit) const;
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
    void readAranges();
    void readOwnRanges();
    void readAlternate();
    FunctionName readName(const Unit& start, std::uint64_t startEntry);

    Opener opener_;
    File file_;
    Units units_;
    std::unique_ptr<SplitUnit[]> splits_;

    std::once_flag arangesOnce_, ownRangesOnce_, alternateOnce_;
    std::vector<UnitRange> aranges_, ownRanges_;
    std::vector<bool> covered_;  ///< by .debug_aranges
    std::unique_ptr<File> alternateFile_;
    std::unique_ptr<Units> alternateUnits_;

    std::mutex namesMutex_;
    std::unordered_map<const Unit*, std::unordered_map<std::uint64_t, FunctionName>> names_;
};

}  // namespace icecore::dwarf
