#include "formats/aff4/image_stream.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/cursor.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t defaultChunk = 32768, defaultChunks = 1024;
/// A chunk is unpacked as a whole and a bevy's index read as one.
constexpr std::uint64_t maxChunk = std::uint64_t{64} << 20, maxChunks = std::uint64_t{1} << 20;
constexpr std::size_t keptBevies = 8;

struct Method {
    std::string_view uri;
    Codec codec;
};
/// The first of a codec is the one that is written.
constexpr std::array methods = {
    Method{"aff4:NullCompressor", Codec::none},
    Method{"http://code.google.com/p/snappy/", Codec::snappy},
    Method{"https://tools.ietf.org/html/rfc1951", Codec::deflate},
    Method{"https://www.ietf.org/rfc/rfc1951.txt", Codec::deflate},
    Method{"https://www.ietf.org/rfc/rfc1950.txt", Codec::zlib},
    Method{"https://tools.ietf.org/html/rfc1950", Codec::zlib},
    Method{"https://code.google.com/p/lz4/", Codec::lz4},
    Method{"https://github.com/lz4/lz4", Codec::lz4},
    Method{"https://github.com/google/snappy", Codec::snappy},
    Method{"aff4:compression/stored", Codec::none},
};

std::uint64_t numberOf(const Graph& graph, const std::string& urn, std::string_view now,
                       std::string_view before, std::uint64_t otherwise) {
    if (const auto value = graph.number(urn, now)) return *value;
    return graph.number(urn, before).value_or(otherwise);
}

}  // namespace

std::string bevyName(std::uint64_t number) {
    std::string name = std::to_string(number);
    return name.size() < 8 ? std::string(8 - name.size(), '0') + name : name;
}

std::optional<Codec> codecOf(std::string_view uri) {
    const auto same = [&](std::string_view other) {
        // With and without the s of https.
        const auto bare = [](std::string_view text) {
            return text.starts_with("https://")  ? text.substr(8)
                   : text.starts_with("http://") ? text.substr(7)
                                                 : text;
        };
        return bare(uri) == bare(other);
    };
    const auto found =
        std::ranges::find_if(methods, [&](const Method& method) { return same(method.uri); });
    if (found == methods.end()) return std::nullopt;
    return found->codec;
}

std::string_view uriOf(Codec codec) {
    const auto found = std::ranges::find(methods, codec, &Method::codec);
    return found == methods.end() ? std::string_view("aff4:NullCompressor")
           : codec == Codec::none ? std::string_view("http://aff4.org/Schema#NullCompressor")
                                  : found->uri;
}

Result<StreamShape> shapeOf(const Graph& graph, const std::string& urn) {
    StreamShape shape;
    shape.urn = urn;
    shape.size = numberOf(graph, urn, "aff4:size", "aff4:streamSize", 0);
    shape.chunkSize = numberOf(graph, urn, "aff4:chunkSize", "aff4:chunk_size", defaultChunk);
    shape.chunksInSegment =
        numberOf(graph, urn, "aff4:chunksInSegment", "aff4:chunks_in_segment",
                 graph.number(urn, "aff4:chunks_per_segment").value_or(defaultChunks));
    for (const std::string_view predicate :
         {"aff4:compressionMethod", "aff4:CompressionMethod", "aff4:compression"}) {
        const auto method = graph.one(urn, predicate);
        if (!method) continue;
        const auto codec = codecOf(method->value);
        if (!codec)
            return fail(Errc::unsupported,
                        "compressed in an unknown way: " + printable(method->value), urn);
        shape.codec = *codec;
        break;
    }
    if (shape.chunkSize == 0 || shape.chunkSize > maxChunk || shape.chunksInSegment == 0 ||
        shape.chunksInSegment > maxChunks || shape.size > INT64_MAX)
        return fail(Errc::malformed, "a stream of impossible proportions", urn);
    return shape;
}

Result<ImageStream::Place> ImageStream::locate(std::uint64_t offset) const {
    const std::uint64_t chunk = offset / shape_.chunkSize;
    const Range content = Range::ofSize(chunk * shape_.chunkSize, shape_.chunkSize)
                              .intersect(Range::between(0, shape_.size));
    return Place{chunk, content};
}

Result<void> ImageStream::unpack(const Place& place, std::span<std::byte> out) const {
    const std::uint64_t chunk = place.content.begin() / shape_.chunkSize;
    ASSIGN_OR_RETURN(const auto in, bevy(chunk / shape_.chunksInSegment));
    const std::uint64_t index = chunk % shape_.chunksInSegment;
    if (index >= in->chunks.size())
        return fail(Errc::truncated, "a chunk that its index does not have",
                    where(place.content.begin()));
    const Range packed = in->chunks[static_cast<std::size_t>(index)];
    if (packed.end() > in->size || packed.size() > 2 * shape_.chunkSize + 64)
        return fail(Errc::malformed, "a chunk that does not lie in its bevy",
                    where(place.content.begin()));
    const Source& file = *in->volume->file;
    const std::uint64_t begin = in->begin + packed.begin();
    // As long as a whole chunk: it did not become smaller, and is there as it was.
    std::size_t got = 0;
    if (shape_.codec == Codec::none || packed.size() == shape_.chunkSize) {
        ASSIGN_OR_RETURN(got, file.read(begin, out.first(static_cast<std::size_t>(std::min(
                                                   place.content.size(), packed.size())))));
    } else {
        ASSIGN_OR_RETURN(const auto stored, loadPacked(file, begin, packed.size()));
        if (place.content.size() == shape_.chunkSize) {
            ASSIGN_OR_RETURN(got, unpackBlock(shape_.codec, stored, out));
        } else {  // the last one may hold more than the stream
            Bytes whole(static_cast<std::size_t>(shape_.chunkSize));
            ASSIGN_OR_RETURN(got, unpackBlock(shape_.codec, stored, whole));
            std::ranges::copy(std::span(whole).first(out.size()), out.begin());
        }
    }
    if (got < out.size())
        return fail(Errc::malformed, "a chunk is shorter than it should be",
                    where(place.content.begin()));
    return {};
}

Result<std::shared_ptr<const ImageStream::Bevy>> ImageStream::bevy(std::uint64_t number) const {
    {
        const std::lock_guard lock(mutex_);
        for (const auto& one : kept_) {
            if (one->number == number) return one;
        }
    }
    ASSIGN_OR_RETURN(auto fresh, readBevy(number));
    const std::lock_guard lock(mutex_);
    kept_.push_front(fresh);
    if (kept_.size() > keptBevies) kept_.pop_back();
    return fresh;
}

Result<std::shared_ptr<const ImageStream::Bevy>> ImageStream::readBevy(std::uint64_t number) const {
    const std::string name = bevyName(number);
    const aff4::Place data = container_->find(shape_.urn, name);
    if (!data) return fail(Errc::truncated, "the bevy " + name + " is not there", shape_.urn);
    auto bevy = std::make_shared<Bevy>();
    bevy->number = number;
    bevy->volume = data.volume;
    bevy->size = data.member->size;
    ASSIGN_OR_RETURN(bevy->begin, data.volume->zip.dataOffset(*data.member));
    const std::uint64_t limit = shape_.chunksInSegment * 12;
    if (const aff4::Place index = container_->find(shape_.urn, name + ".index")) {
        ASSIGN_OR_RETURN(const SharedBytes bytes, container_->load(index, limit));
        Cursor cursor{ByteView(bytes.span())};
        while (cursor.remaining() >= 12) {
            const std::uint64_t offset = cursor.u64();
            bevy->chunks.push_back(Range::ofSize(offset, cursor.u32()));
        }
        return bevy;
    }
    // Before the standard: where each chunk ends.
    const aff4::Place index = container_->find(shape_.urn, name + "/index");
    if (!index) return fail(Errc::truncated, "the bevy " + name + " has no index", shape_.urn);
    ASSIGN_OR_RETURN(const SharedBytes bytes, container_->load(index, limit));
    Cursor cursor{ByteView(bytes.span())};
    std::uint64_t begin = 0;
    while (cursor.remaining() >= 4) {
        const std::uint64_t end = cursor.u32();
        bevy->chunks.push_back(Range::between(begin, end));
        begin = end;
    }
    return bevy;
}

}  // namespace icecore::aff4
