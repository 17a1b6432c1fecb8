// Microsoft's Xpress compression, as hibernation files use it.
// Specification: [MS-XCA] "Xpress Compression Algorithm": 2.4 (plain LZ77), 2.2 (LZ77+Huffman).
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"

namespace icecore {

/// Unpacks plain LZ77 into `out` and returns how much it was; ends when either side does.
/// `malformed` where it refers to what lies before the beginning or ends within an item.
Result<std::size_t> unpackXpress(std::span<const std::byte> packed, std::span<std::byte> out);

/// The same of LZ77 with Huffman codes, a table of which stands before each 64 KiB of content.
Result<std::size_t> unpackXpressHuffman(std::span<const std::byte> packed,
                                        std::span<std::byte> out);

}  // namespace icecore
