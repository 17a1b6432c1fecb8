#include "bytes/zeros.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace icecore {

bool allZero(std::span<const std::byte> bytes) {
    // The C library's memcmp uses the widest registers the CPU has and stops at the first
    // difference; a page of zeros stays in the first-level cache.
    alignas(64) static constexpr std::array<std::byte, 4096> zeros{};
    while (!bytes.empty()) {
        const std::size_t size = std::min(bytes.size(), zeros.size());
        if (std::memcmp(bytes.data(), zeros.data(), size) != 0) return false;
        bytes = bytes.subspan(size);
    }
    return true;
}

}  // namespace icecore
