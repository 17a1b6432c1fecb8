// The content of an AFF4 ImageStream: chunks in bevies, unpacked when touched.
#pragma once

#include <list>
#include <mutex>
#include <optional>

#include "bytes/block_source.h"
#include "bytes/codec.h"
#include "formats/aff4/container.h"

namespace icecore::aff4 {

/// What the description says of a stream, in either dialect, with the standard's defaults.
struct StreamShape {
    std::string urn;
    std::uint64_t size = 0, chunkSize = 0, chunksInSegment = 0;
    Codec codec = Codec::none;
};
Result<StreamShape> shapeOf(const Graph& graph, const std::string& urn);

/// "00000000": the name of a bevy.
std::string bevyName(std::uint64_t number);

/// The codec of a compressionMethod's URI.
std::optional<Codec> codecOf(std::string_view uri);
std::string_view uriOf(Codec codec);

class ImageStream final : public BlockSource {
public:
    ImageStream(std::shared_ptr<const Container> container, StreamShape shape)
        : container_(std::move(container)), shape_(std::move(shape)) {}
    [[nodiscard]] const std::string& name() const override { return shape_.urn; }
    [[nodiscard]] std::uint64_t size() const override { return shape_.size; }
    [[nodiscard]] const StreamShape& shape() const { return shape_; }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override;
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const override;

private:
    /// A bevy's index, kept while its chunks are read one after another.
    struct Bevy {
        std::uint64_t number = 0;
        const Volume* volume = nullptr;
        std::uint64_t begin = 0, size = 0;  ///< of the bevy in the volume's file
        std::vector<Range> chunks;          ///< in the bevy
    };
    [[nodiscard]] Result<std::shared_ptr<const Bevy>> bevy(std::uint64_t number) const;
    [[nodiscard]] Result<std::shared_ptr<const Bevy>> readBevy(std::uint64_t number) const;

    std::shared_ptr<const Container> container_;
    StreamShape shape_;
    mutable std::mutex mutex_;
    mutable std::list<std::shared_ptr<const Bevy>> kept_;
};

}  // namespace icecore::aff4
