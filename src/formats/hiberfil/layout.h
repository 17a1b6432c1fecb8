// hiberfil.sys of Windows 8 and later.
// Sources: PO_MEMORY_IMAGE in Windows' public symbols (as published by vergiliusproject.com and
// ntdiff); J. Sylve, V. Marziale, G. Richard, "Modern windows hibernation file analysis" (2016);
// www.forensicxlab.com/posts/hibernation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace icecore::hiberfil {

/// What the first four bytes say: hibernated; resumed from, and what is behind may be of then.
inline constexpr std::array<std::string_view, 4> freshMarks = {"HIBR", "hibr", "RSTR", "rstr"};
inline constexpr std::array<std::string_view, 2> usedMarks = {"WAKE", "wake"};

inline constexpr std::uint64_t pageSize = 4096;
inline constexpr std::size_t lengthAt = 0xc;  ///< u32 LengthSelf: tells which layout it is

/// Offsets of PO_MEMORY_IMAGE's fields, by its own length. Numbers of pages have 64 bits in a
/// 64-bit Windows, 32 in a 32-bit one; counts in PerfInfo have 64 in both.
struct Layout {
    std::uint32_t length;
    bool wide;
    std::uint16_t pageSizeAt, systemTimeAt, loaderPagesAt, securePageAt, bootPageAt, kernelPageAt,
        kernelPagesAt;
};
inline constexpr std::array<Layout, 12> layouts = {{
    {0x4d8, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x230},  // 11 24H2
    {0x448, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x230},  // 11
    {0x3e0, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x230},  // 10 1809 to 22H2
    {0x3d8, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x230},  // 10 1703 to 1803
    {0x3c8, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x220},  // 10 1607
    {0x3b0, true, 0x18, 0x20, 0x58, 0x60, 0x68, 0x70, 0x218},  // 10 1507, 1511
    {0x360, true, 0x18, 0x20, 0x58, 0, 0x60, 0x68, 0x1c8},     // 8, 8.1
    {0x340, false, 0x14, 0x18, 0x48, 0, 0x50, 0x54, 0x210},    // 10 1809 to 22H2, 32-bit
    {0x338, false, 0x14, 0x18, 0x48, 0, 0x50, 0x54, 0x210},    // 10 1703 to 1803, 32-bit
    {0x328, false, 0x14, 0x18, 0x48, 0, 0x50, 0x54, 0x200},    // 10 1607, 32-bit
    {0x310, false, 0x14, 0x18, 0x48, 0, 0x50, 0x54, 0x1f8},    // 10 1507, 1511, 32-bit
    {0x2c8, false, 0x14, 0x18, 0x48, 0, 0x50, 0x54, 0x1b0},    // 8, 8.1, 32-bit
}};

// From a restore page on, sets one behind the other: u32 head; a descriptor (64 or 32 bits) for
// each run of pages: its length less one in four bits, above them its first page; the packed pages.
// As long as the pages themselves means stored.
inline constexpr std::uint32_t descriptorsMask = 0xff;
inline constexpr unsigned packedShift = 8;
inline constexpr std::uint32_t packedMask = 0x3fffff;
inline constexpr std::uint32_t huffman = 0x80000000;
inline constexpr unsigned runBits = 4;
inline constexpr std::uint64_t mostPagesInSet = 16;

}  // namespace icecore::hiberfil
