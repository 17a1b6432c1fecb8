// What an archive of ours says of itself: its information.turtle, and the names in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/codec.h"
#include "model/snapshot.h"

namespace icecore::aff4 {

/// URNs of the objects that a volume has.
struct Names {
    std::string volume, image, map, stream;
};
/// One that nobody else has: a UUID of chance (RFC 9562, version 4).
std::string newUrn();
/// Those of a volume. They follow from its own (UUIDs of version 8), so that an archive which is
/// written once more has the same.
Names namesIn(std::string_view volume);
/// Those of volume `number` (from 1 on) of the image that begins in the volume `first`.
Names namesIn(std::string_view first, std::size_t number);
/// The map over all streams of an image whose volumes have maps of their own parts.
std::string wholeMapIn(std::string_view first);

/// Hashes in hexadecimal, SHA-512.
struct MapHashes {
    std::string map, idx;
    std::string blockMap;  ///< empty where chunks have no hashes
};
struct MapSaid {
    std::string urn, volume;
    std::vector<std::string> streams;
    std::optional<std::uint64_t> size;  ///< bytes of memory, up to its end
    std::optional<MapHashes> hashes;
};
struct StreamSaid {
    std::string urn, volume, map;
    std::optional<std::uint64_t> size;  ///< bytes
    std::string blockHash;              ///< as MapHashes; empty where there are none
};
struct FileSaid {
    std::string volume, name;
};

/// What a volume says. Of sizes and hashes nothing is known at its beginning.
struct Description {
    Names names;  ///< the volume's own
    std::optional<TimePoint> time;
    std::uint64_t chunkSize = 0, chunksInBevy = 0;
    Codec codec = Codec::none;
    bool blockHashes = true;
    std::string imageVolume, imageMap;  ///< where the image is said to be, and the map it shows
    std::optional<std::uint64_t> imageSize;
    std::string imageHash;  ///< of the block map hashes of its maps; may be empty
    std::vector<MapSaid> maps;
    std::vector<StreamSaid> streams;    ///< of this volume
    std::vector<StreamSaid> elsewhere;  ///< of others: only where they are
    std::vector<FileSaid> files;        ///< of all volumes that are spoken of, where there are more
};
/// As Turtle.
std::string describe(const Description& description);

}  // namespace icecore::aff4
