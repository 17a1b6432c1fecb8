#include "arch/xsave.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore {

namespace {

constexpr std::size_t legacySize = 512 + 64;  // FXSAVE and the header
constexpr std::size_t enabledAt = 464;        // XCR0, as Linux stores it

struct Component {
    unsigned bit;
    std::size_t size, intelOffset;
};
/// Ascending; the components beside x87 and SSE that ordinary processors have.
constexpr std::array components = {
    Component{2, 256, 576},    // AVX: upper halves of YMM
    Component{5, 64, 1088},    // AVX-512: mask registers
    Component{6, 512, 1152},   // AVX-512: upper halves of ZMM0-15
    Component{7, 1024, 1664},  // AVX-512: ZMM16-31
    Component{9, 8, 2688},     // protection keys
};
constexpr std::uint64_t understood = 0b10'1110'0111;

}  // namespace

std::vector<std::byte> xsaveInIntelLayout(std::span<const std::byte> area) {
    if (area.size() < legacySize) return {};
    const auto enabled = loadInteger<std::uint64_t>(area.data() + enabledAt);
    if ((enabled & ~understood) != 0) return {};
    std::size_t packed = legacySize;
    std::size_t intel = legacySize;
    for (const Component& component : components) {
        if ((enabled >> component.bit & 1U) == 0) continue;
        packed += component.size;
        intel = component.intelOffset + component.size;
    }
    if (area.size() != packed || packed == intel) return {};
    std::vector<std::byte> moved(intel);
    std::ranges::copy(area.first(legacySize), moved.begin());
    std::size_t from = legacySize;
    for (const Component& component : components) {
        if ((enabled >> component.bit & 1U) == 0) continue;
        std::ranges::copy(area.subspan(from, component.size),
                          moved.begin() + static_cast<std::ptrdiff_t>(component.intelOffset));
        from += component.size;
    }
    return moved;
}

}  // namespace icecore
