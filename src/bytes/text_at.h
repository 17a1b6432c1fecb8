// Tables of texts, one behind the other.
#pragma once

#include <cstdint>
#include <string_view>

#include "bytes/cursor.h"

namespace icecore {

/// The NUL-terminated text at `offset`; empty when it does not end inside `strings`.
inline std::string_view textAt(ByteView strings, std::uint64_t offset) {
    Cursor cursor(strings.slice(offset));
    return cursor.cString();
}

}  // namespace icecore
