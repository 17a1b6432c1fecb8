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
/// Intel's SHA extensions: two rounds an instruction, state kept as ABEF and CDGH. Of several
/// inputs at once: each instruction waits for the one before it, and the CPU has others to do
/// meanwhile.
template <std::size_t Inputs>
[[gnu::target("sha,sse4.1,ssse3")]] void instructions(Sha256State* const* states,
                                                      const std::byte* const* inputs,
                                                      std::size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[Inputs], cdgh[Inputs];
    for (std::size_t k = 0; k < Inputs; ++k) {
        const Sha256State& s = *states[k];
        const auto word = [&s](std::size_t i) { return static_cast<int>(s[i]); };
        abef[k] = _mm_setr_epi32(word(5), word(4), word(1), word(0));
        cdgh[k] = _mm_setr_epi32(word(7), word(6), word(3), word(2));
    }
    for (std::size_t block = 0; block < blocks; ++block) {
        __m128i abefBefore[Inputs], cdghBefore[Inputs], w[Inputs][4];
        for (std::size_t k = 0; k < Inputs; ++k) {
            abefBefore[k] = abef[k];
            cdghBefore[k] = cdgh[k];
            const auto* const from =
                reinterpret_cast<const __m128i*>(inputs[k] + block * sha256Block);
#pragma GCC unroll 4
            for (std::size_t i = 0; i < 4; ++i)
                w[k][i] = _mm_shuffle_epi8(_mm_loadu_si128(from + i), swap);
        }
#pragma GCC unroll 16
        for (std::size_t round = 0; round < 16; ++round) {
            const __m128i constants = _mm_loadu_si128(
                reinterpret_cast<const __m128i*>(sha256Constants.data() + 4 * round));
#pragma GCC unroll 2
            for (std::size_t k = 0; k < Inputs; ++k) {
                __m128i& current = w[k][round % 4];
                if (round >= 4) {
                    const __m128i& three = w[k][(round + 3) % 4];
                    current = _mm_sha256msg2_epu32(
                        _mm_add_epi32(_mm_sha256msg1_epu32(current, w[k][(round + 1) % 4]),
                                      _mm_alignr_epi8(three, w[k][(round + 2) % 4], 4)),
                        three);
                }
                const __m128i sum = _mm_add_epi32(current, constants);
                cdgh[k] = _mm_sha256rnds2_epu32(cdgh[k], abef[k], sum);
                abef[k] = _mm_sha256rnds2_epu32(abef[k], cdgh[k], _mm_shuffle_epi32(sum, 0x0e));
            }
        }
        for (std::size_t k = 0; k < Inputs; ++k) {
            abef[k] = _mm_add_epi32(abef[k], abefBefore[k]);
            cdgh[k] = _mm_add_epi32(cdgh[k], cdghBefore[k]);
        }
    }
    for (std::size_t k = 0; k < Inputs; ++k) {
        alignas(16) std::array<std::uint32_t, 4> low, high;
        _mm_store_si128(reinterpret_cast<__m128i*>(low.data()), abef[k]);
        _mm_store_si128(reinterpret_cast<__m128i*>(high.data()), cdgh[k]);
        *states[k] = {low[3], low[2], high[3], high[2], low[1], low[0], high[1], high[0]};
    }
}

bool hasInstructions() {
    // CPUID 7.0: EBX bit 29, which GCC 12 has no name for.
    unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
    asm("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ebx & (1U << 29)) != 0 && __builtin_cpu_supports("sse4.1");
}
#endif

template <std::size_t Inputs>
void blocksOf(Sha256State* const* states, const std::byte* const* inputs, std::size_t blocks) {
#ifdef ICECORE_SHA_INSTRUCTIONS
    static const bool quick = hasInstructions();
    if (quick) return instructions<Inputs>(states, inputs, blocks);
#endif
    for (std::size_t k = 0; k < Inputs; ++k)
        portable(*states[k], inputs[k], blocks);
}

}  // namespace

void sha256Blocks(Sha256State& state, const std::byte* bytes, std::size_t blocks) {
    Sha256State* const states[] = {&state};
    blocksOf<1>(states, &bytes, blocks);
}

void sha256Blocks(Sha256State& one, Sha256State& two, const std::byte* bytesOne,
                  const std::byte* bytesTwo, std::size_t blocks) {
    Sha256State* const states[] = {&one, &two};
    const std::byte* const inputs[] = {bytesOne, bytesTwo};
    blocksOf<2>(states, inputs, blocks);
}

}  // namespace icecore
