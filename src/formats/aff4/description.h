// What an archive of ours says of itself: its information.turtle, and the names in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "bytes/codec.h"
#include "model/snapshot.h"

namespace icecore::aff4 {

/// URNs of the objects.
struct Names {
    std::string volume, image, map, stream;
};
/// One that nobody else has: a UUID of chance (RFC 9562, version 4).
std::string newUrn();
/// Those of a volume. They follow from its own (UUIDs of version 8), so that an archive which is
/// written once more has the same.
Names namesIn(std::string_view volume);

struct Description {
    const Names& names;
    std::optional<TimePoint> time;
    std::uint64_t chunkSize, chunksInBevy;
    Codec codec;
    /// What is known when all is written; sizes in bytes, hashes in hexadecimal.
    struct Content {
        std::uint64_t imageSize = 0, streamSize = 0;
        std::string mapHash, idxHash, blockMapHash;
        std::string blockHash;  ///< empty where there is no bevy
    };
    std::optional<Content> content;
};
/// As Turtle.
std::string describe(const Description& description);

}  // namespace icecore::aff4
