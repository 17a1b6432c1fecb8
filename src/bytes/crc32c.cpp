#include "bytes/crc32c.h"

#include <array>
#include <cstddef>

#include "bytes/endian.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define ICECORE_CRC_INSTRUCTIONS 1
#endif

namespace icecore {

namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

/// tables[k][b]: what byte b contributes when k more bytes follow in the same word.
constexpr auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1U) != 0 ? polynomial : 0U);
        made[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t i = 0; i < 256; ++i)
            made[k][i] = (made[k - 1][i] >> 8) ^ made[0][made[k - 1][i] & 0xffU];
    }
    return made;
}();

/// The state behind `bytes` that is `crc` before them.
std::uint32_t byTables(std::uint32_t crc, std::span<const std::byte> bytes) {
    while (bytes.size() >= 8) {
        const std::uint64_t word = loadInteger<std::uint64_t>(bytes.data()) ^ crc;
        crc = 0;
        for (std::size_t k = 0; k < 8; ++k)
            crc ^= tables[7 - k][(word >> (8 * k)) & 0xffU];
        bytes = bytes.subspan(8);
    }
    for (const std::byte byte : bytes)
        crc = (crc >> 8) ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xffU];
    return crc;
}

#ifdef ICECORE_CRC_INSTRUCTIONS
/// SSE 4.2: eight bytes an instruction. Leaves fewer than eight.
[[gnu::target("sse4.2")]] std::uint32_t instructions(std::uint32_t crc,
                                                     std::span<const std::byte>& bytes) {
    std::uint64_t state = crc;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8))
        state = _mm_crc32_u64(state, loadInteger<std::uint64_t>(bytes.data()));
    return static_cast<std::uint32_t>(state);
}
#endif

constexpr std::uint32_t begin = 0xffffffffU;

}  // namespace

std::uint32_t crc32cByTables(std::span<const std::byte> bytes) {
    return ~byTables(begin, bytes);
}

std::uint32_t crc32c(std::span<const std::byte> bytes) {
    std::uint32_t crc = begin;
#ifdef ICECORE_CRC_INSTRUCTIONS
    static const bool quick = __builtin_cpu_supports("sse4.2") != 0;
    if (quick) crc = instructions(crc, bytes);
#endif
    return ~byTables(crc, bytes);
}

}  // namespace icecore
