// LZNT1, Windows' RtlCompressBuffer.
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"

namespace icecore {

/// Unpacks a buffer into `out` and returns the size of its content; `malformed` where it is damaged
/// or holds more than `out` takes. Source: [MS-XCA] 2.5.
Result<std::size_t> unpackLznt1(std::span<const std::byte> packed, std::span<std::byte> out);

}  // namespace icecore
