#include "formats/aff4/description.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <span>

#include "base/text.h"
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

std::string timeText(TimePoint time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(seconds - day);
    const auto two = [](auto value) {
        const std::string digits = std::to_string(value);
        return digits.size() < 2 ? "0" + digits : digits;
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
           "T" + two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
           two(clock.seconds().count()) + "Z";
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

std::string describe(const Description& description) {
    const Names& names = description.names;
    const auto& content = description.content;
    std::string text =
        "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
        "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
        "@prefix aff4: <http://aff4.org/Schema#> .\n\n";
    const auto say = [&](std::string_view predicate, const std::string& object) {
        text += " ;\n    aff4:" + std::string(predicate) + " " + object;
    };
    const auto end = [&] { text += " .\n\n"; };
    text += uri(names.volume) + "\n    a aff4:ZipVolume";
    if (description.time) say("creationTime", quoted(timeText(*description.time), "xsd:dateTime"));
    say("interface", "aff4:Volume");
    say("contains", uri(names.image) + " , " + uri(names.map) + " , " + uri(names.stream));
    end();

    text += uri(names.image) + "\n    a aff4:Image , aff4:DiscontiguousImage";
    say("category", "<http://aff4.org/Schema#memory/physical>");
    say("dataStream", uri(names.map));
    if (content) {
        say("hash", quoted(content->blockMapHash, "aff4:blockMapHashSHA512"));
        say("size", number(content->imageSize, "xsd:long"));
    }
    say("stored", uri(names.volume));
    end();

    text += uri(names.map) + "\n    a aff4:Map";
    say("dependentStream", uri(names.stream));
    say("mapGapDefaultStream", "aff4:UnknownData");
    if (content) {
        say("blockMapHash", quoted(content->blockMapHash, "aff4:SHA512"));
        say("mapIdxHash", quoted(content->idxHash, "aff4:SHA512"));
        say("mapPointHash", quoted(content->mapHash, "aff4:SHA512"));
        say("size", number(content->imageSize, "xsd:long"));
    }
    say("stored", uri(names.volume));
    say("target", uri(names.image));
    end();

    text += uri(names.stream) + "\n    a aff4:ImageStream";
    say("chunkSize", number(description.chunkSize, "xsd:int"));
    say("chunksInSegment", number(description.chunksInBevy, "xsd:int"));
    say("compressionMethod", uri(std::string(uriOf(description.codec))));
    if (content) say("size", number(content->streamSize, "xsd:long"));
    say("stored", uri(names.volume));
    say("target", uri(names.map));
    say("version", number(1, "xsd:int"));
    end();

    if (content && !content->blockHash.empty()) {
        text += uri(names.stream + "/blockhash.sha256") + "\n    a aff4:BlockHashes";
        say("hash", quoted(content->blockHash, "aff4:SHA512"));
        end();
    }
    return text;
}

}  // namespace icecore::aff4
