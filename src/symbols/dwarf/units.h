// The units of a file's sections, and type units by their signatures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbols/dwarf/file.h"
#include "symbols/dwarf/unit.h"

namespace icecore::dwarf {

/// The units of one .debug_info or .debug_types, in order.
class Units {
public:
    Units(const File& file, SectionId section, std::uint64_t container) {
        const std::uint64_t size = file.section(section).size();
        std::uint64_t next = 0;
        for (std::uint64_t at = 0; at < size; at = next) {
            auto unit = Unit::readHeader(file, section, at, &next);
            if (unit) {
                unit->container = container;
                units_.push_back(std::move(unit));
            }
            if (next <= at) break;
        }
    }
    [[nodiscard]] std::size_t size() const { return units_.size(); }
    [[nodiscard]] Unit& operator[](std::size_t i) const { return *units_[i]; }
    /// Index of the unit that contains an offset of the section, or size().
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

/// A file and its units. Before version 5 type units had a section of their own.
class FileUnits {
public:
    /// `number` tells the files of one module apart; it makes the lists' `container`.
    FileUnits(std::shared_ptr<const ElfImage> image, bool split, std::uint64_t number)
        : file(std::move(image), split),
          info(file, SectionId::info, containerOf(number, SectionId::info)),
          types(file, SectionId::types, containerOf(number, SectionId::types)) {
        for (const Units* list : {&info, &types}) {
            for (std::size_t i = 0; i < list->size(); ++i) {
                Unit& unit = (*list)[i];
                if (unit.isTypeUnit()) bySignature_.try_emplace(unit.signature, &unit);
            }
        }
    }
    [[nodiscard]] static std::uint64_t containerOf(std::uint64_t number, SectionId section) {
        return 2 * number + (section == SectionId::types ? 1 : 0);
    }
    [[nodiscard]] static std::uint64_t numberOf(std::uint64_t container) { return container / 2; }
    [[nodiscard]] const Units& list(std::uint64_t container) const {
        return container % 2 == 0 ? info : types;
    }
    /// The type unit of that signature, or null.
    [[nodiscard]] Unit* ofSignature(std::uint64_t signature) const {
        const auto found = bySignature_.find(signature);
        return found == bySignature_.end() ? nullptr : found->second;
    }

    File file;
    Units info, types;

private:
    std::unordered_map<std::uint64_t, Unit*> bySignature_;
};

}  // namespace icecore::dwarf
