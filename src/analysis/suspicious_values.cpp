#include "analysis/suspicious_values.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "base/text.h"

namespace icecore {

namespace {

struct FillPattern {
    std::uint32_t value;
    std::string_view meaning;
};
// Values that allocators and compilers fill memory with, each 32 bits; of a 64-bit pointer both
// halves, or the lower half with nothing above.
constexpr auto patterns = std::to_array<FillPattern>({
    {0xdeadbeef, "a mark for freed or uninitialised memory (0xdeadbeef)"},
    {0xfeeefeee, "memory freed on the Windows heap"},
    {0xdddddddd, "memory freed by the Microsoft debug heap"},
    {0xcdcdcdcd, "uninitialised memory of the Microsoft debug heap"},
    {0xcccccccc, "uninitialised stack of a Microsoft debug build"},
    {0xfdfdfdfd, "the guard bytes of the Microsoft debug heap"},
    {0xbaadf00d, "uninitialised memory of the Windows heap"},
    {0xabababab, "the guard bytes behind a block of the Windows heap"},
    {0xa5a5a5a5, "memory that jemalloc or a BSD allocator handed out, never written"},
    {0x5a5a5a5a, "memory freed by jemalloc or a BSD allocator"},
    {0xe5e5e5e5, "memory freed by mozjemalloc"},
    {0xe4e4e4e4, "memory that mozjemalloc handed out, never written"},
    {0xaaaaaaaa, "a variable never written (-ftrivial-auto-var-init=pattern of clang)"},
    {0xfefefefe, "a variable never written (-ftrivial-auto-var-init=pattern of GCC)"},
    {0xbebebebe, "memory that AddressSanitizer handed out, never written"},
    {0xbabababa, "a mark for memory not to be used"},
    {0xcafebabe, "a mark value (0xcafebabe)"},
    {0xbadc0de, "a mark value (0xbadc0de)"},
    {0xbadcafe, "a mark value (0xbadcafe)"},
});

/// Pointers are used with small offsets: the pattern's neighbourhood counts too.
bool isNear(std::uint64_t value, std::uint64_t pattern) {
    constexpr std::uint64_t reach = 4096;
    return value - pattern + reach <= 2 * reach;
}

std::optional<std::string> patternMeaning(std::uint64_t value, bool wide) {
    for (const FillPattern& pattern : patterns) {
        const std::uint64_t low = pattern.value;
        if (isNear(value, low) || (wide && isNear(value, low << 32 | low)))
            return std::string(pattern.meaning);
    }
    return std::nullopt;
}

/// The same byte everywhere: glibc's M_PERTURB / MALLOC_PERTURB_, or a memset.
std::optional<std::string> fillMeaning(std::uint64_t value, bool wide) {
    const std::uint64_t byte = wide ? value >> 32 & 0xffU : value >> 16 & 0xffU;
    const std::uint64_t repeated = byte * (wide ? 0x0101010101010101U : 0x01010101U);
    if (byte != 0 && byte != 0xff && isNear(value, repeated)) {
        return fmt::format("memory filled with the byte {:#x} (memset, or glibc's MALLOC_PERTURB_)",
                           byte);
    }
    return std::nullopt;
}

/// The value as text when all its bytes are printable: what an overrun of a string leaves.
std::optional<std::string> asText(std::uint64_t value, bool wide) {
    std::string text;
    for (int i = 0; i < (wide ? 8 : 4); ++i) {
        const auto c = static_cast<char>(value >> (8 * i) & 0xffU);
        if (c < 0x20 || c > 0x7e) return std::nullopt;
        text += c;
    }
    return text;
}

/// The one bit whose flip makes the value point at mapped memory. Low bits are left out: an address
/// near mapped memory is an overrun, not a flip.
std::optional<unsigned> flippedBit(const CrashCase& crash, std::uint64_t value) {
    constexpr unsigned lowest = 22;
    constexpr std::uint64_t smallest = std::uint64_t{1} << 32;
    std::optional<unsigned> found;
    for (unsigned bit = lowest; bit < 64; ++bit) {
        const std::uint64_t other = value ^ (std::uint64_t{1} << bit);
        if (other < smallest || isMapped(crash.process, other) != true) continue;
        if (found) return std::nullopt;  // more than one: chance
        found = bit;
    }
    return found;
}

Finding holds(std::string_view meaning, const std::string& evidence) {
    return {fmt::format("The pointer holds {}.", meaning), {evidence}, Confidence::medium};
}

}  // namespace

std::optional<BadPointer> examineBadPointer(const CrashCase& crash, std::string_view what,
                                            std::uint64_t value) {
    constexpr std::uint64_t smallest = 0x10000;  // below it is a null pointer with an offset
    const bool wide = crash.pointerSize() == 8;
    if (value < smallest || value > UINT64_MAX - smallest) return std::nullopt;
    const std::string evidence = fmt::format("{} is {}", what, hex(value));
    if (const auto meaning = patternMeaning(value, wide))
        return BadPointer{holds(*meaning, evidence), {}};
    if (const auto text = asText(value, wide)) {
        return BadPointer{{fmt::format("The pointer's bytes are text, \"{}\": something wrote a "
                                       "string over it.",
                                       *text),
                           {evidence},
                           Confidence::medium},
                          {}};
    }
    if (const auto meaning = fillMeaning(value, wide))
        return BadPointer{holds(*meaning, evidence), {}};
    if (isMapped(crash.process, value) != false) return std::nullopt;
    if (const auto bit = flippedBit(crash, value)) {
        const std::uint64_t right = value ^ (std::uint64_t{1} << *bit);
        return BadPointer{
            {fmt::format("The pointer differs by one bit (bit {}) from a mapped address: "
                         "faulty memory or a stray write are possible.",
                         *bit),
             {evidence, fmt::format("{} is {}", hex(right), describeAddress(crash.process, right))},
             Confidence::low},
            right};
    }
    return std::nullopt;
}

}  // namespace icecore
