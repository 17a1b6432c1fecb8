#include "bytes/sha256_block.h"

#include <bit>

#include "bytes/endian.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define ICECORE_SHA_INSTRUCTIONS 1
#endif

namespace icecore {

const std::array<std::uint32_t, 64> sha256Constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

namespace {

/// FIPS 180-4, 6.2.2.
void portable(Sha256State& state, const std::byte* bytes, std::size_t blocks) {
    for (; blocks > 0; --blocks, bytes += 64) {
        std::array<std::uint32_t, 64> w{};
        for (std::size_t t = 0; t < 16; ++t)
            w[t] = loadInteger<std::uint32_t>(bytes + 4 * t, std::endian::big);
        for (std::size_t t = 16; t < 64; ++t) {
            const std::uint32_t a = w[t - 15];
            const std::uint32_t b = w[t - 2];
            w[t] = w[t - 16] + w[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) +
                   (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
        }
        Sha256State v = state;
        for (std::size_t t = 0; t < 64; ++t) {
            const std::uint32_t e = v[4];
            const std::uint32_t a = v[0];
            const std::uint32_t one = v[7] +
                                      (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                                      ((e & v[5]) ^ (~e & v[6])) + sha256Constants[t] + w[t];
            const std::uint32_t two = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) +
                                      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
            v = {one + two, a, v[1], v[2], v[3] + one, e, v[5], v[6]};
        }
        for (std::size_t i = 0; i < 8; ++i)
            state[i] += v[i];
    }
}

#ifdef ICECORE_SHA_INSTRUCTIONS
/// Intel's SHA extensions: two rounds an instruction, state kept as ABEF and CDGH.
[[gnu::target("sha,sse4.1,ssse3")]] void instructions(Sha256State& state, const std::byte* bytes,
                                                      std::size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    alignas(16) std::array<std::uint32_t, 4> low{state[5], state[4], state[1], state[0]};
    alignas(16) std::array<std::uint32_t, 4> high{state[7], state[6], state[3], state[2]};
    const auto at = [](const void* p) { return static_cast<const __m128i*>(p); };
    __m128i abef = _mm_load_si128(at(low.data()));
    __m128i cdgh = _mm_load_si128(at(high.data()));
    for (; blocks > 0; --blocks, bytes += 64) {
        const __m128i abefBefore = abef;
        const __m128i cdghBefore = cdgh;
        __m128i w[4];
        for (std::size_t i = 0; i < 4; ++i)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128(at(bytes + 16 * i)), swap);
        for (std::size_t round = 0; round < 16; ++round) {
            __m128i& current = w[round % 4];
            if (round >= 4) {
                const __m128i& one = w[(round + 1) % 4];
                const __m128i& two = w[(round + 2) % 4];
                const __m128i& three = w[(round + 3) % 4];
                current = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(current, one),
                                                             _mm_alignr_epi8(three, two, 4)),
                                               three);
            }
            const __m128i sum =
                _mm_add_epi32(current, _mm_loadu_si128(at(sha256Constants.data() + 4 * round)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abefBefore);
        cdgh = _mm_add_epi32(cdgh, cdghBefore);
    }
    const auto to = [](void* p) { return static_cast<__m128i*>(p); };
    _mm_store_si128(to(low.data()), abef);
    _mm_store_si128(to(high.data()), cdgh);
    state = {low[3], low[2], high[3], high[2], low[1], low[0], high[1], high[0]};
}
#endif

using Blocks = void (*)(Sha256State&, const std::byte*, std::size_t);

Blocks choose() {
#ifdef ICECORE_SHA_INSTRUCTIONS
    // CPUID 7.0: EBX bit 29, which GCC 12 has no name for.
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    asm("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if ((ebx & (1U << 29)) != 0 && __builtin_cpu_supports("sse4.1")) return instructions;
#endif
    return portable;
}

}  // namespace

void sha256Blocks(Sha256State& state, const std::byte* bytes, std::size_t blocks) {
    static const Blocks chosen = choose();
    chosen(state, bytes, blocks);
}

}  // namespace icecore
