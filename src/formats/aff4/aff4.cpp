#include "formats/aff4/aff4.h"

#include <array>

#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/unfinished.h"

namespace icecore {

namespace {

constexpr std::array codecs = {Codec::snappy, Codec::lz4, Codec::deflate, Codec::zlib, Codec::none};
constexpr std::array<std::string_view, 1> extensions = {".af4"};

bool probe(const Source& source) {
    return aff4::isVolume(source);
}

std::uint64_t wholeBytes(const std::shared_ptr<const Source>& begun) {
    const auto found = aff4::readBegun(aff4::ZipReader::walk(begun), true);
    return found ? found->size : 0;
}

}  // namespace

Format aff4Format() {
    Format format{};
    format.name = "aff4";
    format.description = "AFF4 image";
    format.extension = ".aff4";
    format.moreExtensions = extensions;
    format.probe = probe;
    format.open = aff4::open;
    format.writeImage = aff4::writeImage;
    format.wholeBytes = wholeBytes;
    format.codecs = codecs;
    format.manyVolumes = true;
    format.blockHashes = true;
    format.verify = aff4::verify;
    return format;
}

}  // namespace icecore
