#include "formats/aff4/split_room.h"

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "formats/aff4/container.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/zip_writer.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

/// What a volume says of itself and of three others; and of each other one that the first speaks
/// of: where its stream is, what its file is called, and its line of idx.
constexpr std::uint64_t turtle = 6144, turtleOfOne = 512;
/// Index and hash of a chunk.
constexpr std::uint64_t besideChunk = 12 + chunkHashSize;
/// Three members of a bevy, beside their bytes.
constexpr std::uint64_t besideBevy = 1024;
constexpr std::uint64_t leastPiece = std::uint64_t{64} << 10;
/// Such a piece, whose pages are a run each at worst, in a volume that has nothing else yet.
constexpr std::uint64_t leastContent = 4096 + leastPiece + besideBevy +
                                       (leastPiece / chunkSize + 1) * besideChunk +
                                       4 * leastPiece / image::pageSize * sizeof(MapEntry);

/// A file's name in a volume's description: escapes make four characters of one, and a fifth of
/// some.
std::uint64_t roomOfName(std::string_view name) {
    return 8 * name.size() + 16;
}

}  // namespace

Result<SplitRoom> SplitRoom::plan(std::uint64_t mostBytes, const Machine& machine,
                                  std::string_view firstName) {
    const std::uint64_t bytes = image::bytesIn(machine.ranges);
    // Each run of zeros that is worth one has an entry, and what lies before it.
    const std::uint64_t entries =
        2 * (bytes / worthAnEntry(bytes) + machine.ranges.size() + 1) + machine.absentRanges;
    const std::uint64_t map = entries * sizeof(MapEntry) + machine.extras;
    SplitRoom room;
    room.mostBytes_ = mostBytes;
    room.endOfOther_ = turtle + 4 * roomOfName(firstName);
    // Two halves of volumes have room for what one of them holds at most, so:
    const auto volumesOf = [bytes](std::uint64_t size) { return bytes / (size / 2) + 2; };
    const auto firstOf = [&](std::uint64_t size) {
        return room.endOfOther_ + machine.extras + machine.absentRanges * sizeof(MapEntry) +
               volumesOf(size) * (turtleOfOne + roomOfName(firstName));
    };
    const auto enough = [&](std::uint64_t size) {
        return volumesOf(size) <= maxVolumes && firstOf(size) <= size / 4 &&
               firstOf(size) + leastContent <= size && map + room.endOfOther_ <= size / 2;
    };
    if (mostBytes < 2 || !enough(mostBytes)) {
        std::uint64_t least = std::uint64_t{64} << 10;
        while (!enough(least))
            least += least / 4;
        return fail(Errc::limit, "volumes of " + std::to_string(mostBytes) +
                                     " bytes are too short for " + humanBytes(bytes) +
                                     " of memory: at least " + std::to_string(least));
    }
    room.endOfFirst_ = firstOf(mostBytes);
    return room;
}

std::uint64_t SplitRoom::of(const PackedPiece& piece) {
    std::uint64_t bytes = besideBevy + 2 * piece.runs.size() * sizeof(MapEntry);
    for (const auto chunk : piece.chunks)
        bytes += chunk.size() + besideChunk;
    return bytes;
}

std::uint64_t SplitRoom::mostInPiece() const {
    return std::max(leastPiece, std::bit_floor(mostBytes_ / 16));
}

}  // namespace icecore::aff4
