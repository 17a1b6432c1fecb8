#include "formats/kdump/kdump.h"

#include <array>

#include "formats/kdump/kdump_parts.h"

namespace icecore {

namespace {

constexpr std::array codecs = {Codec::zlib, Codec::snappy, Codec::lzo, Codec::zstd, Codec::none};

}  // namespace

Format kdumpFormat() {
    Format format{};
    format.name = "kdump";
    format.description = "kdump-compressed image of physical memory";
    format.extension = ".kdump";
    format.probe = kdump::probe;
    format.open = kdump::open;
    format.writeImage = kdump::writeImage;
    format.wholeBytes = kdump::wholeBytes;
    format.codecs = codecs;
    return format;
}

}  // namespace icecore
