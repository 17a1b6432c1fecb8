// Integers of one, two or four bytes, whose highest bits tell which: metadata of .NET (ECMA-335,
// II.23.2) and CodeView's annotations of inlined code.
#pragma once

#include <cstdint>

#include "bytes/cursor.h"

namespace icecore {

/// The cursor fails where the highest bits tell no length.
std::uint32_t compressedInteger(Cursor& cursor);

}  // namespace icecore
