// Images of memory of any size and content, made: what conversions and acquisitions are given.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace icecore::bench {

enum class Content : std::uint8_t {
    random,  ///< no byte repeats
    zero90,  ///< nine of ten pages are zero: written, not holes
    zero,    ///< all of them
    mixed,   ///< zeros, pages like a heap of small objects, and random ones: as machines have them
};

/// A raw image of `bytes` bytes, every page of it written.
Result<void> writeImage(const std::string& path, std::uint64_t bytes, Content content);

/// One of which only a random page in each `apart` bytes is written; the rest are holes of the
/// file.
Result<void> writeSparseImage(const std::string& path, std::uint64_t bytes, std::uint64_t apart);

}  // namespace icecore::bench
