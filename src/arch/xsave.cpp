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

/// Every component that has a fixed size, as they follow one another when compacted; those without
/// a place in the standard format have none here. The tiles of AMX begin at multiples of 64.
struct Packed {
    unsigned bit;
    std::size_t size, standardOffset;
    bool aligned = false;
};
constexpr std::array packed = {
    Packed{2, 256, 576},
    Packed{3, 64, 960},
    Packed{4, 64, 1024},
    Packed{5, 64, 1088},
    Packed{6, 512, 1152},
    Packed{7, 1024, 1664},
    Packed{8, 128, 0},
    Packed{9, 8, 2688},
    Packed{10, 8, 0},
    Packed{11, 16, 0},
    Packed{12, 24, 0},
    Packed{13, 8, 0},
    Packed{14, 48, 0},
    Packed{15, 808, 0},
    Packed{16, 8, 0},
    Packed{17, 64, 2752, true},
    Packed{18, 8192, 2816, true},
};
constexpr std::size_t presentAt = 512, compactionAt = 520;  // XSTATE_BV, XCOMP_BV
constexpr std::uint64_t compactedBit = std::uint64_t{1} << 63;

/// Calls `visit(component, bytes)` for what a compacted area holds, up to where it is cut or
/// nobody knows how to go on.
template <class Visit>
void eachPacked(std::span<const std::byte> area, Visit visit) {
    if (area.size() < legacySize) return;
    const auto compaction = loadInteger<std::uint64_t>(area.data() + compactionAt);
    if ((compaction & compactedBit) == 0) return;
    std::size_t at = legacySize;
    unsigned expected = packed.front().bit;
    for (const Packed& component : packed) {
        // A bit between two that are known ends what can be found.
        for (; expected < component.bit; ++expected) {
            if ((compaction >> expected & 1U) != 0) return;
        }
        ++expected;
        if ((compaction >> component.bit & 1U) == 0) continue;
        if (component.aligned) at = (at + 63) / 64 * 64;
        if (at > area.size() || area.size() - at < component.size) return;
        visit(component, area.subspan(at, component.size));
        at += component.size;
    }
}

}  // namespace

std::vector<std::byte> xsaveInStandardFormat(std::vector<std::byte> area) {
    if (area.size() < legacySize ||
        (loadInteger<std::uint64_t>(area.data() + compactionAt) & compactedBit) == 0)
        return area;
    std::vector<std::byte> standard(area.begin(), area.begin() + legacySize);
    const auto present = loadInteger<std::uint64_t>(area.data() + presentAt);
    std::uint64_t kept = present & 3U;  // x87 and SSE, in the legacy part
    eachPacked(area, [&](const Packed& component, std::span<const std::byte> bytes) {
        if (component.standardOffset == 0 || (present >> component.bit & 1U) == 0) return;
        kept |= std::uint64_t{1} << component.bit;
        standard.resize(component.standardOffset + component.size);
        std::ranges::copy(bytes,
                          standard.begin() + static_cast<std::ptrdiff_t>(component.standardOffset));
    });
    storeInteger(standard.data() + presentAt, kept);
    storeInteger(standard.data() + compactionAt, std::uint64_t{0});
    return standard;
}

std::optional<std::uint64_t> shadowStackPointer(std::span<const std::byte> area) {
    constexpr unsigned userCet = 11;
    std::optional<std::uint64_t> found;
    eachPacked(area, [&](const Packed& component, std::span<const std::byte> bytes) {
        // IA32_U_CET, then IA32_PL3_SSP.
        if (component.bit == userCet &&
            (loadInteger<std::uint64_t>(area.data() + presentAt) >> userCet & 1U) != 0)
            found = loadInteger<std::uint64_t>(bytes.data() + 8);
    });
    return found;
}

std::vector<std::byte> xsaveInIntelLayout(std::span<const std::byte> area) {
    if (area.size() < legacySize) return {};
    const auto enabled = loadInteger<std::uint64_t>(area.data() + enabledAt);
    if ((enabled & ~understood) != 0) return {};
    std::size_t packedSize = legacySize;
    std::size_t intel = legacySize;
    for (const Component& component : components) {
        if ((enabled >> component.bit & 1U) == 0) continue;
        packedSize += component.size;
        intel = component.intelOffset + component.size;
    }
    if (area.size() != packedSize || packedSize == intel) return {};
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
