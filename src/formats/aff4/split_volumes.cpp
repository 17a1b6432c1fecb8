#include "formats/aff4/split_volumes.h"

#include "formats/aff4/container.h"

namespace icecore::aff4 {

namespace {

/// Names of two members, and what the archive has of them.
constexpr std::uint64_t besideMap = 1024;

std::uint64_t endOf(std::span<const MapEntry> entries) {
    return entries.empty() ? 0 : entries.back().mapOffset + entries.back().length;
}

}  // namespace

Result<void> SplitVolumes::makeRoom(const PackedPiece& piece) {
    const OpenVolume& volume = *volumes_.open()[current()];
    const std::uint64_t part =
        (entries_.count() - partBegin_ + 2 * piece.runs.size()) * sizeof(MapEntry);
    const bool fits =
        volume.writer.size() + part + SplitRoom::of(piece) + room_.atEnd(volume.number + 1) <=
        room_.mostBytes();
    // What goes beyond the limit by itself goes there at once, and is told.
    if (fits || volume.writer.streamSize() == 0) return {};
    TRY(endPart(*volumes_.open()[current()]));
    partBegin_ = entries_.count();
    entries_.breakHere();
    if (current() > 0) {
        volumes_.speakOfNext(last_);
        TRY(closeLast());
    }
    return volumes_.openNext();
}

/// The volume's own part of the map, by its own names.
MapSaid SplitVolumes::writeablePart(const OpenVolume& volume,
                                    std::vector<MapEntry>& entries) const {
    for (MapEntry& entry : entries) {
        if (entry.target == lineOf(volume.number)) entry.target = dataStream;
    }
    const std::string& stream = volume.writer.names().stream;
    return volumes_.mapOf(volume, entries, idxOf(std::span(&stream, 1)), endOf(entries), {stream});
}

Result<void> SplitVolumes::endPart(OpenVolume& volume) {
    TRY(volume.writer.endBevy(nullptr));
    TRY(volumes_.endStream(volume));
    const auto part = entries_.all().subspan(partBegin_);
    std::vector<MapEntry> entries(part.begin(), part.end());
    if (volume.number == 0) {
        firstPart_ = std::move(entries);
        return {};
    }
    const MapSaid map = writeablePart(volume, entries);
    TRY(VolumeSet::writeMap(volume, map.urn, entries, idxOf(map.streams)));
    last_ = volumes_.describing(volume);
    last_.maps = {map};
    last_.streams = {volumes_.streamOf(volume.number, map.urn)};
    volumes_.name(last_, 0);
    volumes_.speakOf(last_, 0, {});
    if (volume.number > 1) {
        volumes_.name(last_, volume.number - 1);
        volumes_.speakOf(last_, volume.number - 1, {});
    }
    volumes_.name(last_, volume.number);
    return {};
}

Result<void> SplitVolumes::closeLast() {
    TRY(volumes_.end(*volumes_.open().back(), last_));
    volumes_.open().pop_back();
    return {};
}

Result<void> SplitVolumes::endParts() {
    return endPart(*volumes_.open()[current()]);
}

/// The map as a whole goes into the first volume where it has room, else into the last one, else
/// into one more.
Result<void> SplitVolumes::endAll(std::uint64_t end) {
    const std::string map = wholeMapIn(volumes_.first());
    const std::vector<std::string> streams = volumes_.streams();
    const std::string idx = idxOf(streams);
    const std::uint64_t size =
        besideMap + idx.size() + entries_.all().size_bytes() + volumes_.extrasSize();
    const auto fits = [&](const OpenVolume& volume) {
        const std::uint64_t own = volume.number == 0 ? firstPart_.size() * sizeof(MapEntry) : 0;
        return volume.writer.size() + size + own + room_.atEnd(volume.number + 1) <=
               room_.mostBytes();
    };
    OpenVolume& first = *volumes_.open().front();
    OpenVolume* place = &first;
    if (!fits(first)) {
        if (!fits(*volumes_.open().back())) {
            volumes_.speakOfNext(last_);
            TRY(closeLast());
            TRY(volumes_.openNext());
            volumes_.leaveWithoutStream();
            last_ = volumes_.describing(*volumes_.open().back());
            volumes_.speakOf(last_, 0, {});
            volumes_.speakOf(last_, volumes_.count() - 2, {});
        }
        place = volumes_.open().back().get();
    }
    MapSaid whole = volumes_.mapOf(*place, entries_.all(), idx, end, streams);
    whole.urn = map;
    TRY(VolumeSet::writeMap(*place, map, entries_.all(), idx));
    TRY(volumes_.writeExtras(*place, map));
    // What is to be said of it is said by the first volume, but who has it says what it has, too.
    if (place != &first) last_.maps.push_back({map, whole.volume, {}, end, std::nullopt});
    TRY(closeLast());

    const MapSaid own = writeablePart(first, firstPart_);
    TRY(VolumeSet::writeMap(first, own.urn, firstPart_, idxOf(own.streams)));
    Description description = volumes_.describing(first);
    description.imageSize = end;
    description.imageHash = whole.hashes->blockMap;
    description.maps = {whole, own};
    description.streams = {volumes_.streamOf(0, own.urn)};
    volumes_.speakOfAll(description, 0, map);
    return volumes_.end(first, description);
}

}  // namespace icecore::aff4
