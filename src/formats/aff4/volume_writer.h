// One volume of an image while it is written: an archive, and the stream in it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/one_behind.h"
#include "bytes/hash.h"
#include "formats/aff4/description.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/packed_piece.h"
#include "formats/aff4/zip_writer.h"

namespace icecore::aff4 {

/// Takes the chunks of a stream and writes them as bevies, on a thread of its own while the next
/// one is made.
class VolumeWriter {
public:
    /// `sink` is not finished.
    VolumeWriter(Names names, Sink& sink) : names_(std::move(names)), zip_(sink), sink_(sink) {}

    [[nodiscard]] const Names& names() const { return names_; }
    /// What stands first in each volume.
    Result<void> begin();

    /// Adds a chunk, which lies in `piece`, and its hash, if it has one.
    void addChunk(const std::shared_ptr<const PackedPiece>& piece, std::span<const std::byte> chunk,
                  std::span<const std::byte> hash);
    /// How many chunks there are that are not in a bevy yet.
    [[nodiscard]] std::uint64_t chunksWaiting() const { return bevy_.chunks; }
    /// Makes a bevy of them, if there are any. `part`, where it is not null, are the entries of the
    /// map that stand behind it.
    Result<void> endBevy(const std::vector<MapEntry>* part);
    /// Until all bevies are written.
    Result<void> drain() { return writing_.drain(); }

    /// Another member; all bevies must be written.
    Result<void> add(std::string_view name, std::span<const std::byte> bytes);
    Result<void> add(std::string_view name, std::string_view text) {
        return add(name, std::as_bytes(std::span(text)));
    }
    Result<void> finish() { return zip_.finish(names_.volume); }

    /// Bytes of the stream, and how many bevies it has.
    [[nodiscard]] std::uint64_t streamSize() const { return streamSize_; }
    [[nodiscard]] std::uint64_t bevies() const { return bevies_; }
    /// SHA-512 of the hashes of all chunks; once, at the end.
    [[nodiscard]] std::vector<std::byte> hashOfHashes();

    /// Bytes that the archive has at most if it ends with what it was given until now.
    [[nodiscard]] std::uint64_t size() const { return planned_ + waiting(); }
    /// Bytes written.
    [[nodiscard]] std::uint64_t position() const { return sink_.position(); }

private:
    /// Members of the archive that belong to some chunks one behind the other.
    struct Bevy {
        std::string name;
        std::vector<std::shared_ptr<const PackedPiece>> pieces;  ///< where the parts lie
        std::vector<std::span<const std::byte>> parts;           ///< the chunks, joined
        std::vector<std::byte> index, hashes;
        std::string mapPartName;  ///< empty where it has none
        std::vector<MapEntry> mapPart;
        std::uint64_t chunks = 0, bytes = 0;
    };
    Result<void> write(const Bevy& bevy);
    [[nodiscard]] std::uint64_t waiting() const;

    Names names_;
    ZipWriter zip_;
    Sink& sink_;
    Bevy bevy_;
    Hasher hashOfHashes_{HashKind::sha512};
    std::uint64_t bevies_ = 0, streamSize_ = 0, planned_ = 0;
    OneBehind<Bevy> writing_{
        [this](const Bevy& bevy) { return write(bevy); }};  // last: it uses zip_
};

}  // namespace icecore::aff4
