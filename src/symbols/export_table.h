// The exported names of a PE image, by address.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "images/pe_image.h"

namespace icecore {

/// All that an image without PDB says of its names. Immutable once built, so that threads share it.
class ExportTable {
public:
    struct Entry {
        std::uint32_t address = 0;  ///< relative to the image's base
        std::uint32_t end = 0;      ///< the next export or the end of the section
        bool code = false;
        std::string_view name;  ///< as exported; "Ordinal9" where there is none
    };

    explicit ExportTable(std::shared_ptr<const PeImage> image);

    /// The export at or below `address` in its section, or null.
    [[nodiscard]] const Entry* at(std::uint64_t address) const;
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// Whether nothing says that `address` belongs to another function than `entry`: the table of
    /// functions, where the machine has one, tells where each begins.
    [[nodiscard]] bool covers(const Entry& entry, std::uint64_t address) const;

private:
    [[nodiscard]] std::uint32_t functionStart(std::uint64_t address) const;

    std::shared_ptr<const PeImage> image_;
    std::vector<PeExport> exports_;
    std::vector<Entry> entries_;
};

}  // namespace icecore
