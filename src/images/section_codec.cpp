#include "images/section_codec.h"

#include <libdeflate.h>
#include <zstd.h>

#include <cstring>
#include <memory>
#include <span>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/endian.h"

namespace icecore {

namespace {

/// Deflate cannot do better than 1032:1, and debug sections stay below 20:1.
constexpr std::uint64_t largestRatio = 1100;

Result<void> inflateInto(ByteView from, std::span<std::byte> to) {
    const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> state(
        libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
    if (!state) return fail(Errc::internal, "libdeflate does not start");
    // Without a place for the actual size, anything but exactly to.size() bytes is an error.
    if (libdeflate_zlib_decompress(state.get(), from.data(), from.size(), to.data(), to.size(),
                                   nullptr) != LIBDEFLATE_SUCCESS)
        return fail(Errc::malformed, "compressed section does not hold what it promises",
                    from.where());
    return {};
}

Result<void> unzstdInto(ByteView from, std::span<std::byte> to) {
    const std::size_t size = ZSTD_decompress(to.data(), to.size(), from.data(), from.size());
    if (ZSTD_isError(size) != 0U || size != to.size())
        return fail(Errc::malformed, "compressed section does not hold what it promises",
                    from.where());
    return {};
}

/// `size` bytes out of `data`. `stored` is the whole section, for messages.
Result<SharedBytes> decompress(std::uint32_t type, ByteView data, std::uint64_t size,
                               ByteView stored) {
    if (size / largestRatio > data.size()) {
        return fail(
            Errc::malformed,
            "compressed section promises " + hex(size) + " bytes out of " + hex(data.size()),
            stored.where());
    }
    if (type != elf::compressedZlib && type != elf::compressedZstd) {
        return fail(Errc::unsupported, "section compressed in unknown way " + std::to_string(type),
                    stored.where());
    }
    // Not cleared first: all of it is written, or nobody sees it.
    const auto length = static_cast<std::size_t>(size);
    const auto content = std::make_shared_for_overwrite<std::byte[]>(length);
    const std::span<std::byte> room(content.get(), length);
    if (type == elf::compressedZlib) {
        TRY(inflateInto(data, room));
    } else {
        TRY(unzstdInto(data, room));
    }
    return SharedBytes(content, room);
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
    return decompress(type, stored.slice(cursor.position()), size, stored);
}

Result<SharedBytes> decompressGnuSection(ByteView stored) {
    constexpr std::string_view magic = "ZLIB";
    constexpr std::size_t headerSize = magic.size() + 8;
    if (stored.size() < headerSize || std::memcmp(stored.data(), magic.data(), magic.size()) != 0)
        return fail(Errc::malformed, "compressed section without its header", stored.where());
    const auto size = loadInteger<std::uint64_t>(stored.data() + magic.size(), std::endian::big);
    return decompress(elf::compressedZlib, stored.slice(headerSize), size, stored);
}

}  // namespace icecore
