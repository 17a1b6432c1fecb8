// Volumes that are written one behind the other, none longer than it may be.
#pragma once

#include <vector>

#include "formats/aff4/map_entries.h"
#include "formats/aff4/split_room.h"
#include "formats/aff4/volume_set.h"

namespace icecore::aff4 {

/// The first one stays open until the map of all is known. Each other one is complete when the next
/// is begun: it has a map of what it holds itself, and speaks of the first, of the one before and
/// of the one behind, so that all are found as long as the first is there or none between is
/// missing.
class SplitVolumes {
public:
    SplitVolumes(SplitRoom room, VolumeSet& volumes, MapEntries& entries)
        : room_(room), volumes_(volumes), entries_(entries) {}

    [[nodiscard]] const SplitRoom& room() const { return room_; }
    /// The one that chunks go to, of volumes.open().
    [[nodiscard]] std::size_t current() const { return volumes_.open().size() - 1; }
    /// Begins another volume where this one would become too long. Called between pieces.
    Result<void> makeRoom(const PackedPiece& piece);
    /// Of several. The entries are complete after `endParts`, and sorted before `endAll`, which is
    /// told where memory ends.
    Result<void> endParts();
    Result<void> endAll(std::uint64_t end);

private:
    Result<void> endPart(OpenVolume& volume);
    Result<void> closeLast();
    [[nodiscard]] MapSaid writeablePart(const OpenVolume& volume,
                                        std::vector<MapEntry>& entries) const;

    SplitRoom room_;
    VolumeSet& volumes_;
    MapEntries& entries_;
    std::size_t partBegin_ = 0;        ///< the current volume's first entry
    std::vector<MapEntry> firstPart_;  ///< the first volume's, when it is full
    Description last_;                 ///< of the volume whose part was ended last
};

}  // namespace icecore::aff4
