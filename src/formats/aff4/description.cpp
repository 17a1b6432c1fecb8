#include "formats/aff4/description.h"

#include <algorithm>
#include <array>
#include <random>
#include <span>

#include "base/text.h"
#include "base/time_text.h"
#include "bytes/endian.h"
#include "bytes/hash.h"
#include "formats/aff4/image_stream.h"

namespace icecore::aff4 {

namespace {

using Uuid = std::array<std::byte, 16>;

std::string urnWith(Uuid bytes, std::byte version) {
    bytes[6] = (bytes[6] & std::byte{0x0f}) | (version << 4);
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    const std::string digits = hexBytes(bytes);
    return "aff4://" + digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" +
           digits.substr(12, 4) + "-" + digits.substr(16, 4) + "-" + digits.substr(20);
}

/// Of the SHA-256 of both.
std::string urnOf(std::string_view volume, std::string_view object) {
    Hasher hasher(HashKind::sha256);
    hasher.update(std::as_bytes(std::span(volume)));
    hasher.update(std::as_bytes(std::span(object)));
    const std::vector<std::byte> hash = hasher.finish();
    Uuid bytes{};
    std::ranges::copy(std::span(hash).first(bytes.size()), bytes.begin());
    return urnWith(bytes, std::byte{8});
}

std::string quoted(std::string_view value, std::string_view type) {
    return "\"" + std::string(value) + "\"^^" + std::string(type);
}
std::string number(std::uint64_t value, std::string_view type) {
    return quoted(std::to_string(value), type);
}
std::string uri(const std::string& urn) {
    return "<" + urn + ">";
}

}  // namespace

std::string newUrn() {
    std::random_device random;
    Uuid bytes{};
    for (std::size_t i = 0; i < bytes.size(); i += 4)
        storeInteger(bytes.data() + i, static_cast<std::uint32_t>(random()));
    return urnWith(bytes, std::byte{4});
}

Names namesIn(std::string_view volume) {
    return {std::string(volume), urnOf(volume, "image"), urnOf(volume, "map"),
            urnOf(volume, "stream")};
}

Names namesIn(std::string_view first, std::size_t number) {
    if (number == 1) return namesIn(first);
    Names names = namesIn(urnOf(first, "volume " + std::to_string(number)));
    names.image = namesIn(first).image;
    return names;
}

std::string wholeMapIn(std::string_view first) {
    return urnOf(first, "whole map");
}

namespace {

/// Statements of one subject after the other.
class Turtle {
public:
    void begin(const std::string& subject, std::string_view type) {
        text_ += uri(subject) + "\n    a " + std::string(type);
    }
    void say(std::string_view predicate, const std::string& object) {
        text_ += " ;\n    aff4:" + std::string(predicate) + " " + object;
    }
    void end() { text_ += " .\n\n"; }
    std::string take() { return std::move(text_); }

private:
    std::string text_ =
        "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
        "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        "@prefix aff4: <http://aff4.org/Schema#> .\n\n";
};

std::string list(const std::vector<std::string>& urns) {
    std::string text;
    for (const std::string& urn : urns)
        text += (text.empty() ? "" : " , ") + uri(urn);
    return text;
}

/// A name as text of Turtle's.
std::string literal(std::string_view name) {
    std::string text = "\"";
    for (const char c : printable(name)) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + "\"";
}

void sayVolume(const Description& description, Turtle& turtle) {
    const Names& names = description.names;
    turtle.begin(names.volume, "aff4:ZipVolume");
    if (description.time)
        turtle.say("creationTime", quoted(isoTime(*description.time), "xsd:dateTime"));
    turtle.say("interface", "aff4:Volume");
    std::vector<std::string> objects;
    if (description.imageVolume == names.volume) objects.push_back(names.image);
    for (const MapSaid& map : description.maps) {
        if (map.volume == names.volume) objects.push_back(map.urn);
    }
    for (const StreamSaid& stream : description.streams)
        objects.push_back(stream.urn);
    if (!objects.empty()) turtle.say("contains", list(objects));
    turtle.end();
}

void sayImage(const Description& description, Turtle& turtle) {
    turtle.begin(description.names.image, "aff4:Image , aff4:DiscontiguousImage");
    turtle.say("category", "<http://aff4.org/Schema#memory/physical>");
    turtle.say("dataStream", uri(description.imageMap));
    if (!description.imageHash.empty())
        turtle.say("hash", quoted(description.imageHash, "aff4:blockMapHashSHA512"));
    if (description.imageSize) turtle.say("size", number(*description.imageSize, "xsd:long"));
    turtle.say("stored", uri(description.imageVolume));
    turtle.end();
}

void sayMap(const Description& description, const MapSaid& map, Turtle& turtle) {
    turtle.begin(map.urn, "aff4:Map");
    if (!map.streams.empty()) turtle.say("dependentStream", list(map.streams));
    turtle.say("mapGapDefaultStream", "aff4:UnknownData");
    if (map.hashes) {
        if (!map.hashes->blockMap.empty())
            turtle.say("blockMapHash", quoted(map.hashes->blockMap, "aff4:SHA512"));
        turtle.say("mapIdxHash", quoted(map.hashes->idx, "aff4:SHA512"));
        turtle.say("mapPointHash", quoted(map.hashes->map, "aff4:SHA512"));
    }
    if (map.size) turtle.say("size", number(*map.size, "xsd:long"));
    turtle.say("stored", uri(map.volume));
    turtle.say("target", uri(description.names.image));
    turtle.end();
}

void sayStream(const Description& description, const StreamSaid& stream, Turtle& turtle) {
    turtle.begin(stream.urn, "aff4:ImageStream");
    turtle.say("chunkSize", number(description.chunkSize, "xsd:int"));
    turtle.say("chunksInSegment", number(description.chunksInBevy, "xsd:int"));
    turtle.say("compressionMethod", uri(std::string(uriOf(description.codec))));
    if (stream.size) turtle.say("size", number(*stream.size, "xsd:long"));
    turtle.say("stored", uri(stream.volume));
    turtle.say("target", uri(stream.map));
    turtle.say("version", number(1, "xsd:int"));
    turtle.end();
    if (stream.blockHash.empty()) return;
    turtle.begin(stream.urn + "/blockhash.sha256", "aff4:BlockHashes");
    turtle.say("hash", quoted(stream.blockHash, "aff4:SHA512"));
    turtle.end();
}

}  // namespace

std::string describe(const Description& description) {
    Turtle turtle;
    sayVolume(description, turtle);
    for (const FileSaid& file : description.files) {
        turtle.begin(file.volume, "aff4:ZipVolume");
        turtle.say("stored", literal(file.name));
        turtle.end();
    }
    sayImage(description, turtle);
    for (const MapSaid& map : description.maps)
        sayMap(description, map, turtle);
    for (const StreamSaid& stream : description.streams)
        sayStream(description, stream, turtle);
    for (const StreamSaid& stream : description.elsewhere) {
        turtle.begin(stream.urn, "aff4:ImageStream");
        turtle.say("stored", uri(stream.volume));
        if (!stream.map.empty()) turtle.say("target", uri(stream.map));
        turtle.end();
    }
    return turtle.take();
}

}  // namespace icecore::aff4
