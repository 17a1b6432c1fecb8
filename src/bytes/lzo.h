// LZO1X, as the kernel's crash dumps and older tools use it. Ours, as the reference library is
// under the GPL. Source of the format: Linux' Documentation/staging/lzo.rst.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"

namespace icecore {

/// Decompresses one block; `malformed` where it is damaged, does not end where it says, or holds
/// more than `out` takes.
Result<std::size_t> unpackLzo(std::span<const std::byte> packed, std::span<std::byte> out);

/// What `packLzo` needs to remember: bytes, any content.
inline constexpr std::size_t lzoTableBytes = std::size_t{4} << 13;
/// At most this much comes of `size` bytes.
inline constexpr std::size_t lzoBound(std::size_t size) {
    return size + size / 16 + 64 + 3;
}
/// Compresses one block of less than 4 GiB into `out`, of at least lzoBound bytes.
Result<std::size_t> packLzo(std::span<const std::byte> content, std::span<std::byte> out,
                            std::span<std::byte> table);

}  // namespace icecore
