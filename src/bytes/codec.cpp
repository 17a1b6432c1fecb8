#include "bytes/codec.h"

#include <libdeflate.h>
#include <lz4.h>
#include <snappy.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "bytes/lzo.h"

namespace icecore {

namespace {

constexpr std::array<std::string_view, 7> names = {"none",   "deflate", "zlib", "lzo",
                                                   "snappy", "lz4",     "zstd"};
constexpr int deflateLevel = 1;
constexpr int zstdLevel = 1;

std::unexpected<Error> damaged(Codec codec) {
    return fail(Errc::malformed, "damaged block of " + std::string(toString(codec)));
}

struct DecompressorDeleter {
    void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
struct CompressorDeleter {
    void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};
struct ZstdDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

Result<std::size_t> inflate(Codec codec, std::span<const std::byte> packed,
                            std::span<std::byte> out) {
    // Its tables are worth keeping: a page takes less time than making them.
    thread_local const std::unique_ptr<libdeflate_decompressor, DecompressorDeleter> state(
        libdeflate_alloc_decompressor());
    if (!state) return fail(Errc::limit, "out of memory");
    std::size_t size = 0;
    const auto how =
        codec == Codec::zlib ? libdeflate_zlib_decompress : libdeflate_deflate_decompress;
    if (how(state.get(), packed.data(), packed.size(), out.data(), out.size(), &size) !=
        LIBDEFLATE_SUCCESS)
        return damaged(codec);
    return size;
}

const char* chars(std::span<const std::byte> bytes) {
    return reinterpret_cast<const char*>(bytes.data());
}
char* chars(std::span<std::byte> bytes) {
    return reinterpret_cast<char*>(bytes.data());
}

constexpr std::size_t maxInt = std::numeric_limits<int>::max();

}  // namespace

std::string_view toString(Codec codec) {
    return names.at(static_cast<std::size_t>(codec));
}

std::optional<Codec> codecByName(std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Codec>(found - names.begin());
}

Result<std::size_t> unpackBlock(Codec codec, std::span<const std::byte> packed,
                                std::span<std::byte> out) {
    switch (codec) {
    case Codec::none:
        if (packed.size() > out.size()) return damaged(codec);
        std::ranges::copy(packed, out.begin());
        return packed.size();
    case Codec::deflate:
    case Codec::zlib: return inflate(codec, packed, out);
    case Codec::lzo: return unpackLzo(packed, out);
    case Codec::snappy: {
        std::size_t size = 0;
        if (!snappy::GetUncompressedLength(chars(packed), packed.size(), &size) ||
            size > out.size() || !snappy::RawUncompress(chars(packed), packed.size(), chars(out)))
            return damaged(codec);
        return size;
    }
    case Codec::lz4: {
        if (packed.size() > maxInt) return damaged(codec);
        const int got =
            LZ4_decompress_safe(chars(packed), chars(out), static_cast<int>(packed.size()),
                                static_cast<int>(std::min(out.size(), maxInt)));
        if (got < 0) return damaged(codec);
        return static_cast<std::size_t>(got);
    }
    case Codec::zstd: {
        const std::size_t got =
            ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
        if (ZSTD_isError(got) != 0) return damaged(codec);
        return got;
    }
    }
    return damaged(codec);
}

struct BlockPacker::State {
    Codec codec = Codec::none;
    std::unique_ptr<libdeflate_compressor, CompressorDeleter> deflate;
    std::unique_ptr<ZSTD_CCtx, ZstdDeleter> zstd;
    std::vector<std::byte> lzo;
};

BlockPacker::BlockPacker(Codec codec) : state_(std::make_unique<State>()) {
    state_->codec = codec;
    if (codec == Codec::deflate || codec == Codec::zlib)
        state_->deflate.reset(libdeflate_alloc_compressor(deflateLevel));
    if (codec == Codec::zstd) state_->zstd.reset(ZSTD_createCCtx());
    if (codec == Codec::lzo) state_->lzo.resize(lzoTableBytes);
}

BlockPacker::~BlockPacker() = default;

std::size_t BlockPacker::bound(std::size_t size) const {
    switch (state_->codec) {
    case Codec::none: return size;
    case Codec::deflate: return libdeflate_deflate_compress_bound(state_->deflate.get(), size);
    case Codec::zlib: return libdeflate_zlib_compress_bound(state_->deflate.get(), size);
    case Codec::lzo: return lzoBound(size);
    case Codec::snappy: return snappy::MaxCompressedLength(size);
    case Codec::lz4: return static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(size)));
    case Codec::zstd: return ZSTD_compressBound(size);
    }
    return size;
}

Result<std::size_t> BlockPacker::pack(std::span<const std::byte> content,
                                      std::span<std::byte> out) {
    std::size_t size = 0;
    switch (state_->codec) {
    case Codec::none: std::ranges::copy(content, out.begin()); return content.size();
    case Codec::deflate:
    case Codec::zlib: {
        if (!state_->deflate) break;
        const auto how =
            state_->codec == Codec::zlib ? libdeflate_zlib_compress : libdeflate_deflate_compress;
        size = how(state_->deflate.get(), content.data(), content.size(), out.data(), out.size());
        break;
    }
    case Codec::lzo: return packLzo(content, out, state_->lzo);
    case Codec::snappy:
        snappy::RawCompress(chars(content), content.size(), chars(out), &size);
        return size;
    case Codec::lz4:
        size = static_cast<std::size_t>(std::max(
            0, LZ4_compress_default(chars(content), chars(out), static_cast<int>(content.size()),
                                    static_cast<int>(std::min(out.size(), maxInt)))));
        break;
    case Codec::zstd:
        if (!state_->zstd) break;
        size = ZSTD_compressCCtx(state_->zstd.get(), out.data(), out.size(), content.data(),
                                 content.size(), zstdLevel);
        if (ZSTD_isError(size) != 0) size = 0;
        break;
    }
    if (size == 0 && !content.empty()) return fail(Errc::internal, "cannot compress a block");
    return size;
}

}  // namespace icecore
