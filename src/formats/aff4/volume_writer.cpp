#include "formats/aff4/volume_writer.h"

#include <utility>

#include "base/version.h"
#include "bytes/endian.h"
#include "formats/aff4/container.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/unfinished.h"

namespace icecore::aff4 {

namespace {

constexpr std::string_view indexEnd = ".index", hashesEnd = ".blockHash.sha256";

}  // namespace

Result<void> VolumeWriter::begin() {
    planned_ = ZipWriter::costOfEnd(names_.volume);
    TRY(add("container.description", names_.volume));
    return add("version.txt", "major=1\nminor=0\ntool=icecore " + std::string(versionText) + "\n");
}

void VolumeWriter::addChunk(const std::shared_ptr<const PackedPiece>& piece,
                            std::span<const std::byte> chunk, std::span<const std::byte> hash) {
    appendInteger(bevy_.index, bevy_.bytes);
    appendInteger(bevy_.index, static_cast<std::uint32_t>(chunk.size()));
    bevy_.hashes.insert(bevy_.hashes.end(), hash.begin(), hash.end());
    const bool another = bevy_.pieces.empty() || bevy_.pieces.back() != piece;
    if (another) bevy_.pieces.push_back(piece);
    if (!another && bevy_.parts.back().data() + bevy_.parts.back().size() == chunk.data())
        bevy_.parts.back() = {bevy_.parts.back().data(), bevy_.parts.back().size() + chunk.size()};
    else
        bevy_.parts.push_back(chunk);
    bevy_.bytes += chunk.size();
    streamSize_ += chunkSize;
    ++bevy_.chunks;
}

std::uint64_t VolumeWriter::waiting() const {
    if (bevy_.chunks == 0) return 0;
    const std::string name = escaped(names_.stream) + "/" + bevyName(bevies_);
    return ZipWriter::costOf(name, bevy_.bytes) +
           ZipWriter::costOf(name + std::string(indexEnd), bevy_.index.size()) +
           (bevy_.hashes.empty()
                ? 0
                : ZipWriter::costOf(name + std::string(hashesEnd), bevy_.hashes.size()));
}

Result<void> VolumeWriter::endBevy(const std::vector<MapEntry>* part) {
    if (bevy_.chunks == 0) return {};
    planned_ += waiting();
    bevy_.name = escaped(names_.stream) + "/" + bevyName(bevies_);
    if (part != nullptr) {
        bevy_.mapPartName = escaped(names_.map) + "/" + mapPartName(bevies_);
        bevy_.mapPart = *part;
    }
    ++bevies_;
    hashOfHashes_.update(bevy_.hashes);
    return writing_.give(std::exchange(bevy_, {}));
}

Result<void> VolumeWriter::write(const Bevy& bevy) {
    TRY(zip_.add(bevy.name, bevy.parts));
    TRY(zip_.add(bevy.name + std::string(indexEnd), bevy.index));
    if (!bevy.hashes.empty()) TRY(zip_.add(bevy.name + std::string(hashesEnd), bevy.hashes));
    if (bevy.mapPartName.empty()) return {};
    return zip_.add(bevy.mapPartName, std::as_bytes(std::span(bevy.mapPart)));
}

Result<void> VolumeWriter::add(std::string_view name, std::span<const std::byte> bytes) {
    planned_ += ZipWriter::costOf(name, bytes.size());
    return zip_.add(name, bytes);
}

std::vector<std::byte> VolumeWriter::hashOfHashes() {
    return hashOfHashes_.finish();
}

}  // namespace icecore::aff4
