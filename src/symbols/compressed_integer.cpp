#include "symbols/compressed_integer.h"

namespace icecore {

std::uint32_t compressedInteger(Cursor& cursor) {
    const std::uint32_t first = cursor.u8();
    if ((first & 0x80) == 0) return first;
    if ((first & 0xc0) == 0x80) return ((first & 0x3f) << 8) | cursor.u8();
    if ((first & 0xe0) == 0xc0) {
        std::uint32_t value = first & 0x1f;
        for (int i = 0; i < 3; ++i)
            value = (value << 8) | cursor.u8();
        return value;
    }
    cursor.seek(UINT64_MAX);  // no such length
    return 0;
}

}  // namespace icecore
