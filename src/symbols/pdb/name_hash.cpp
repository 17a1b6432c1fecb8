#include "symbols/pdb/name_hash.h"

#include <cstddef>

#include "bytes/endian.h"

namespace icecore::pdb {

std::uint32_t hashName(std::string_view name) {
    std::uint32_t hash = 0;
    const auto* bytes = reinterpret_cast<const std::byte*>(name.data());
    std::size_t left = name.size();
    for (; left >= 4; left -= 4, bytes += 4)
        hash ^= loadInteger<std::uint32_t>(bytes);
    if (left >= 2) {
        hash ^= loadInteger<std::uint16_t>(bytes);
        left -= 2;
        bytes += 2;
    }
    if (left == 1) hash ^= std::to_integer<std::uint32_t>(*bytes);
    hash |= 0x20202020;
    hash ^= hash >> 11;
    return hash ^ (hash >> 16);
}

}  // namespace icecore::pdb
