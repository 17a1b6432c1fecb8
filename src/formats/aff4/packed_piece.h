// A piece of memory as an AFF4 image holds it: divided by kind, packed in chunks and hashed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/range.h"
#include "bytes/codec.h"
#include "bytes/raw_bytes.h"
#include "memory/address_space.h"

namespace icecore::aff4 {

constexpr std::uint64_t chunkSize = 32768;
constexpr std::size_t chunkHashSize = 32;  ///< SHA-256

/// Streams by their line in idx.
enum Target : std::uint32_t { dataStream, zeroStream, unreadableStream, unknownStream };

struct Run {
    Range range;  ///< of memory
    Target target = dataStream;
    std::uint64_t offset = 0;  ///< in the piece's data
};

struct PackedPiece {
    PackedPiece() = default;
    PackedPiece(PackedPiece&&) = default;  // the spans follow their buffers; copied, they would not
    PackedPiece& operator=(PackedPiece&&) = default;

    std::uint64_t content = 0;  ///< bytes of memory
    std::vector<Run> runs;
    /// Each chunk, packed or, as long as a chunk, stored: in one of the buffers below.
    std::vector<std::span<const std::byte>> chunks;
    std::vector<std::byte> hashes;  ///< of each chunk's content, where they are wanted
    std::vector<Range> unread;
    std::uint64_t zeroBytes = 0;

    RawBytes data;                  ///< empty where no chunk is stored
    std::vector<std::byte> packed;  ///< only the packed ones
};

/// From how long on a run of zeros in `bytes` of memory gets an entry of the map. Shorter ones go
/// into the stream, where they pack to nothing but are hashed: entries are kept in memory until the
/// map is written, and the number of those is bounded by this.
std::uint64_t worthAnEntry(std::uint64_t bytes);

struct Packing {
    std::uint64_t entryFrom = 0;  ///< see worthAnEntry
    Codec codec = Codec::none;
    bool hashes = true;
};
/// Reads and packs a piece. Thread-safe but for `packer`.
PackedPiece packPiece(const AddressSpace& memory, Range range, const Packing& packing,
                      BlockPacker& packer);

}  // namespace icecore::aff4
