// From a PDB's section and offset to addresses relative to the image's base, and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/range.h"
#include "symbols/pdb/msf_file.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

/// The sections, and OMAP where a tool rearranged the image after it was linked: symbols then speak
/// of the image as it was, and pieces of functions have moved. Everything inside the reader is an
/// address of the image as it was linked ("linked address"); only what goes out is translated.
class AddressMap {
public:
    struct Place {
        std::uint32_t section = 0;  ///< counted from one
        std::uint32_t offset = 0;
    };

    AddressMap() = default;
    AddressMap(const MsfStream& sections, const MsfStream& omapTo, const MsfStream& omapFrom);

    [[nodiscard]] std::optional<std::uint32_t> linked(std::uint32_t section,
                                                      std::uint32_t offset) const;
    [[nodiscard]] std::optional<Place> place(std::uint32_t linked) const;
    /// The linked address of what is at `loaded` in the image, or nothing where only the later
    /// tool put something.
    [[nodiscard]] std::optional<std::uint32_t> fromImage(std::uint32_t loaded) const;
    [[nodiscard]] std::optional<std::uint32_t> toImage(std::uint32_t linked) const;
    /// Bytes from the start of a function to `loaded`, both in the image as it is now. Where parts
    /// of other functions were moved between the two: bytes in the image as it was linked.
    [[nodiscard]] std::uint32_t distance(std::uint32_t loaded, std::uint32_t linkedBegin,
                                         std::uint32_t linkedSize) const;
    [[nodiscard]] bool rearranged() const { return !toLinked_.empty(); }
    [[nodiscard]] std::size_t sectionCount() const { return sections_.size(); }
    /// Where the section ends, relative to its start; 0 when there is no such section.
    [[nodiscard]] std::uint32_t sectionSize(std::uint32_t section) const;

private:
    struct Section {
        std::uint32_t address = 0, size = 0;
    };
    struct Step {
        std::uint32_t from = 0, to = 0;
    };
    static std::vector<Step> readSteps(const MsfStream& stream);
    static std::optional<std::uint32_t> follow(const std::vector<Step>& steps,
                                               std::uint32_t address);

    std::vector<Section> sections_;
    std::vector<Step> toLinked_, toImage_;
};

}  // namespace icecore::pdb
