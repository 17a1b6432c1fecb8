#include "formats/aff4/volume_set.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/aff4/container.h"

namespace icecore::aff4 {

namespace {

constexpr std::array<std::string_view, 3> symbolicUris = {"http://aff4.org/Schema#Zero",
                                                          "http://aff4.org/Schema#UnreadableData",
                                                          "http://aff4.org/Schema#UnknownData"};

std::vector<std::byte> sha512(std::span<const std::byte> bytes) {
    Hasher hasher(HashKind::sha512);
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace

std::uint32_t lineOf(std::size_t volume) {
    if (volume == 0) return dataStream;
    return static_cast<std::uint32_t>(symbolicUris.size() + volume);
}

std::string idxOf(std::span<const std::string> streams) {
    std::string idx = streams.front() + "\n";
    for (const std::string_view uri : symbolicUris)
        idx += std::string(uri) + "\n";
    for (const std::string& stream : streams.subspan(1))
        idx += stream + "\n";
    return idx;
}

VolumeSet::VolumeSet(const ImageOptions& options, std::string first, Description common,
                     Extras extras)
    : options_(options),
      first_(std::move(first)),
      common_(std::move(common)),
      extras_(std::move(extras)) {}

Result<void> VolumeSet::begin(ImageVolume volume, Sink& sink) {
    const std::size_t number = begun_.size();
    begun_.push_back({namesIn(first_, number + 1), std::move(volume.name), 0, {}, true});
    open_.push_back(
        std::make_unique<OpenVolume>(number, begun_.back().names, std::move(volume.sink), sink));
    return open_.back()->writer.begin();
}

Result<void> VolumeSet::openFirst(Sink& sink) {
    return begin({nullptr, several() ? options_.volumes->firstName : std::string()}, sink);
}

Result<void> VolumeSet::openNext() {
    ASSIGN_OR_RETURN(ImageVolume volume, options_.volumes->next());
    Sink& sink = *volume.sink;
    return begin(std::move(volume), sink);
}

Result<void> VolumeSet::endStream(OpenVolume& volume) {
    TRY(volume.writer.drain());
    Begin& begin = begun_[volume.number];
    begin.streamSize = volume.writer.streamSize();
    if (common_.blockHashes && volume.writer.bevies() > 0)
        begin.blockHash = volume.writer.hashOfHashes();
    return {};
}

std::vector<std::string> VolumeSet::streams() const {
    std::vector<std::string> all;
    for (const Begin& begin : begun_) {
        if (begin.stream) all.push_back(begin.names.stream);
    }
    return all;
}

MapSaid VolumeSet::mapOf(const OpenVolume& volume, std::span<const MapEntry> entries,
                         std::string_view idx, std::uint64_t end,
                         std::vector<std::string> covered) const {
    const Names& names = volume.writer.names();
    const std::vector<std::byte> mapHash = sha512(std::as_bytes(entries));
    const std::vector<std::byte> idxHash = sha512(std::as_bytes(std::span(idx)));
    Hasher all(HashKind::sha512);
    for (const Begin& begin : begun_) {
        const std::string& stream = begin.names.stream;
        if (covered.empty() ? stream == names.stream
                            : std::ranges::find(covered, stream) != covered.end())
            all.update(begin.blockHash);
    }
    all.update(mapHash);
    all.update(idxHash);
    return {names.map, names.volume, covered.empty() ? streams() : std::move(covered), end,
            MapHashes{hexBytes(mapHash), hexBytes(idxHash),
                      common_.blockHashes ? hexBytes(all.finish()) : std::string()}};
}

StreamSaid VolumeSet::streamOf(std::size_t number, const std::string& map) const {
    const Begin& begin = begun_[number];
    return {begin.names.stream, begin.names.volume, map, begin.streamSize,
            hexBytes(begin.blockHash)};
}

Description VolumeSet::describing(const OpenVolume& volume) const {
    Description description = common_;
    description.names = volume.writer.names();
    const bool behind = several() && options_.volumes->stripes == 0;
    description.imageVolume = behind ? first_ : description.names.volume;
    description.imageMap = behind && begun_.size() > 1 ? wholeMapIn(first_) : description.names.map;
    return description;
}

void VolumeSet::speakOf(Description& description, std::size_t number,
                        const std::string& map) const {
    const Names& names = begun_[number].names;
    description.elsewhere.push_back({names.stream, names.volume, map, std::nullopt, {}});
}

void VolumeSet::speakOfNext(Description& description) const {
    const Names next = namesIn(first_, begun_.size() + 1);
    description.elsewhere.push_back({next.stream, next.volume, {}, std::nullopt, {}});
}

void VolumeSet::name(Description& description, std::size_t number) const {
    description.files.push_back({begun_[number].names.volume, begun_[number].file});
}

void VolumeSet::speakOfAll(Description& description, std::size_t own,
                           const std::string& map) const {
    if (begun_.size() == 1) return;
    for (std::size_t number = 0; number < begun_.size(); ++number) {
        if (number != own && begun_[number].stream) speakOf(description, number, map);
        name(description, number);
    }
}

Result<void> VolumeSet::writeMap(OpenVolume& volume, const std::string& urn,
                                 std::span<const MapEntry> entries, const std::string& idx) {
    if (!idx.empty()) TRY(volume.writer.add(escaped(urn) + "/idx", idx));
    return volume.writer.add(escaped(urn) + "/map", std::as_bytes(entries));
}

Result<void> VolumeSet::writeExtras(OpenVolume& volume, const std::string& map) const {
    for (const auto& [name, bytes] : extras_)
        TRY(volume.writer.add(escaped(map) + name, bytes.span()));
    return {};
}

std::uint64_t VolumeSet::extrasSize() const {
    std::uint64_t size = 0;
    for (const auto& [name, bytes] : extras_)
        size += ZipWriter::costOf(escaped(first_) + name, bytes.size());
    return size;
}

Result<void> VolumeSet::end(OpenVolume& volume, const Description& description) {
    TRY(volume.writer.add("information.turtle", describe(description)));
    TRY(volume.writer.finish());
    const std::uint64_t bytes = volume.writer.position();
    bytes_ += bytes;
    const std::uint64_t most = several() ? options_.volumes->mostBytes : 0;
    if (most > 0 && bytes > most)
        losses_.loss("is " + std::to_string(bytes) + " bytes long instead of at most " +
                         std::to_string(most) +
                         ": so many pages could not be read, and the map that says which cannot "
                         "be divided",
                     begun_[volume.number].file);
    return volume.own ? volume.own->finish() : Result<void>();
}

}  // namespace icecore::aff4
