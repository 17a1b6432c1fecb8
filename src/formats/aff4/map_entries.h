// The entries of a map while an image is written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/range.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/packed_piece.h"

namespace icecore::aff4 {

class MapEntries {
public:
    /// Goes on where the last one ends as long as it can. `target`: line of idx.
    void add(Range range, std::uint32_t target, std::uint64_t offset);
    /// What is added next is an entry of its own.
    void breakHere() { joinsFrom_ = entries_.size(); }
    /// By address; nothing that has to do with their order may follow.
    void sort();

    [[nodiscard]] std::span<const MapEntry> all() const { return entries_; }
    [[nodiscard]] std::size_t count() const { return entries_.size(); }

    /// The entries behind those of the part before, up to the last byte that the data stream has,
    /// of which there are `streamSize`. What stands behind that one is the next part's, as
    /// something may still become of it.
    std::vector<MapEntry> nextPart(std::uint64_t streamSize);

private:
    std::vector<MapEntry> entries_;
    std::size_t joinsFrom_ = 0;
    std::size_t partEntry_ = 0;    ///< the entry in which the next part of the map begins,
    std::uint64_t partBegin_ = 0;  ///< and the address where it does
};

}  // namespace icecore::aff4
