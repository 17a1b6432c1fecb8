// Compression of single blocks whose sizes are known, as images of memory use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace icecore {

enum class Codec : std::uint8_t {
    none,     ///< stored as it is
    deflate,  ///< RFC 1951, without a header
    zlib,     ///< RFC 1950
    lzo,      ///< LZO1X
    snappy,   ///< the block format, without framing
    lz4,      ///< the block format, without framing
    zstd,
};
/// "none", "deflate", "zlib"…: what --compress takes.
std::string_view toString(Codec codec);
std::optional<Codec> codecByName(std::string_view name);

/// Unpacks one block into `out` and returns the size of its content. `malformed` where the block is
/// damaged or holds more than `out` takes: nothing is ever allocated by what a block says.
Result<std::size_t> unpackBlock(Codec codec, std::span<const std::byte> packed,
                                std::span<std::byte> out);

/// Packs blocks one after another; keeps the codec's tables between them. Not thread-safe: one for
/// each thread.
class BlockPacker {
public:
    /// At the codec's fastest sensible level: memory is taken in a hurry, and most of it is zero.
    explicit BlockPacker(Codec codec);
    ~BlockPacker();
    BlockPacker(const BlockPacker&) = delete;
    BlockPacker& operator=(const BlockPacker&) = delete;

    /// How many bytes `size` bytes come to at worst.
    [[nodiscard]] std::size_t bound(std::size_t size) const;
    /// Packs into `out`, which holds at least bound(content.size()); the packed size.
    [[nodiscard]] Result<std::size_t> pack(std::span<const std::byte> content,
                                           std::span<std::byte> out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace icecore
