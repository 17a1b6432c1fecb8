#include "images/section_codec.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"

namespace icecore {

namespace {

/// Deflate cannot do better than 1032:1, and debug sections stay below 20:1.
constexpr std::uint64_t largestRatio = 1100;

Result<void> inflateInto(ByteView from, std::vector<std::byte>& to) {
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) return fail(Errc::internal, "zlib does not start");
    int status = Z_OK;
    std::size_t read = 0, written = 0;
    constexpr std::size_t largest = std::numeric_limits<uInt>::max();
    while (status == Z_OK) {
        const auto input = from.span().subspan(read);
        const auto output = std::span(to).subspan(written);
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
        stream.avail_in = static_cast<uInt>(std::min(input.size(), largest));
        stream.next_out = reinterpret_cast<Bytef*>(output.data());
        stream.avail_out = static_cast<uInt>(std::min(output.size(), largest));
        const uInt offered = stream.avail_in, room = stream.avail_out;
        status = inflate(&stream, Z_NO_FLUSH);
        read += offered - stream.avail_in;
        written += room - stream.avail_out;
        if (stream.avail_in == offered && stream.avail_out == room) break;  // no progress
    }
    inflateEnd(&stream);
    if (written != to.size())
        return fail(Errc::malformed, "compressed section does not hold what it promises",
                    from.where());
    return {};
}

Result<void> unzstdInto(ByteView from, std::vector<std::byte>& to) {
    const std::size_t size = ZSTD_decompress(to.data(), to.size(), from.data(), from.size());
    if (ZSTD_isError(size) != 0U || size != to.size())
        return fail(Errc::malformed, "compressed section does not hold what it promises",
                    from.where());
    return {};
}

}  // namespace

Result<SharedBytes> decompressSection(ByteView stored, bool is64) {
    Cursor cursor(stored);
    std::uint32_t type = 0;
    std::uint64_t size = 0;
    if (is64) {
        const auto header = cursor.structure<elf::Compression64>();
        type = header.type;
        size = header.size;
    } else {
        const auto header = cursor.structure<elf::Compression32>();
        type = header.type;
        size = header.size;
    }
    TRY(cursor.status("the compression header"));
    const ByteView data = stored.slice(cursor.position());
    if (size / largestRatio > data.size()) {
        return fail(Errc::malformed,
                    "compressed section promises " + hex(size) + " bytes out of " +
                        hex(data.size()),
                    stored.where());
    }
    if (type != elf::compressedZlib && type != elf::compressedZstd) {
        return fail(Errc::unsupported, "section compressed in unknown way " + std::to_string(type),
                    stored.where());
    }
    std::vector<std::byte> content(static_cast<std::size_t>(size));
    if (type == elf::compressedZlib) {
        TRY(inflateInto(data, content));
    } else {
        TRY(unzstdInto(data, content));
    }
    return SharedBytes::own(std::move(content));
}

}  // namespace icecore
