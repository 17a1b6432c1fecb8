#include "bytes/blake3_lanes.h"

#include <cstring>
#include <utility>

#include "bytes/endian.h"

#if defined(__GNUC__)
#define ICECORE_INLINE [[gnu::always_inline]] inline
#else
#define ICECORE_INLINE inline
#endif

namespace icecore::blake3 {

namespace {

/// Which words of the block each round takes, in order: the specification's permutation (table 2),
/// once more for each round.
constexpr auto schedule = [] {
    constexpr std::array<std::uint8_t, 16> permutation = {2, 6,  3,  10, 7, 0,  4,  13,
                                                          1, 11, 12, 5,  9, 14, 15, 8};
    std::array<std::array<std::uint8_t, 16>, 7> words{};
    for (std::uint8_t i = 0; i < 16; ++i)
        words[0][i] = i;
    for (std::size_t round = 1; round < words.size(); ++round)
        for (std::size_t i = 0; i < 16; ++i)
            words[round][i] = words[round - 1][permutation[i]];
    return words;
}();

/// What the same step is done to at once: one word, or one word of each of several inputs.
/// Everything takes references: vectors wider than the target's by default have no agreed way to be
/// passed by value.
template <class V>
ICECORE_INLINE void mix(V& a, V& b, V& c, V& d, const V& x, const V& y) {
    a = a + b + x;
    d ^= a;
    d = (d >> 16) | (d << 16);
    c = c + d;
    b ^= c;
    b = (b >> 12) | (b << 20);
    a = a + b + y;
    d ^= a;
    d = (d >> 8) | (d << 24);
    c = c + d;
    b ^= c;
    b = (b >> 7) | (b << 25);
}

template <std::size_t Round, class V>
ICECORE_INLINE void mixAll(V* v, const V* m) {
    constexpr auto& s = schedule[Round];
    mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
}

template <class V>
ICECORE_INLINE void sevenRounds(V* v, const V* m) {
    mixAll<0>(v, m);
    mixAll<1>(v, m);
    mixAll<2>(v, m);
    mixAll<3>(v, m);
    mixAll<4>(v, m);
    mixAll<5>(v, m);
    mixAll<6>(v, m);
}

/// What several inputs of the same length have in common.
struct Job {
    std::size_t blocks;                 ///< of each input, which lie one behind the other
    std::uint64_t counter;              ///< of the first
    bool counting;                      ///< whether that of each next input is one more
    std::uint32_t first, always, last;  ///< flags of the first block, of each, of the last one
};

using Lanes = void (*)(const std::byte* inputs, const Job& job, std::byte* out);

void oneLane(const std::byte* input, const Job& job, std::byte* out) {
    Value value = initial;
    for (std::size_t block = 0; block < job.blocks; ++block)
        compress(
            value, input + block * blockSize, job.counter, blockSize,
            job.always | (block == 0 ? job.first : 0U) | (block + 1 == job.blocks ? job.last : 0U));
    for (std::size_t i = 0; i < value.size(); ++i)
        storeInteger(out + 4 * i, value[i]);
}

struct Width {
    std::size_t lanes;
    Lanes run;
};

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ICECORE_VECTORS 1

using Four = std::uint32_t __attribute__((vector_size(16)));
using Eight [[maybe_unused]] = std::uint32_t __attribute__((vector_size(32)));
using Sixteen [[maybe_unused]] = std::uint32_t __attribute__((vector_size(64)));

/// One step of transposing: of two rows that are K apart, each keeps a half of its blocks of K
/// words and gets a half of the other's.
template <std::size_t K, class V, std::size_t... I>
ICECORE_INLINE void exchange(V& a, V& b, std::index_sequence<I...>) {
    constexpr std::size_t lanes = sizeof...(I);
    const V upper = __builtin_shufflevector(a, b, ((I & K) == 0 ? I : lanes + I - K)...);
    b = __builtin_shufflevector(a, b, ((I & K) == 0 ? I + K : lanes + I)...);
    a = upper;
}

template <std::size_t K, class V>
ICECORE_INLINE void transpose(V* rows) {
    constexpr std::size_t lanes = sizeof(V) / 4;
    if constexpr (K < lanes) {
        for (std::size_t i = 0; i < lanes; ++i)
            if ((i & K) == 0) exchange<K>(rows[i], rows[i + K], std::make_index_sequence<lanes>());
        transpose<2 * K>(rows);
    }
}

template <class V>
ICECORE_INLINE void severalLanes(const std::byte* inputs, const Job& job, std::byte* out) {
    constexpr std::size_t lanes = sizeof(V) / 4;
    const std::size_t stride = job.blocks * blockSize;
    V h[8];
    for (std::size_t i = 0; i < 8; ++i)
        h[i] = V{} + initial[i];
    V low{}, high{};
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::uint64_t counter = job.counter + (job.counting ? lane : 0);
        low[lane] = static_cast<std::uint32_t>(counter);
        high[lane] = static_cast<std::uint32_t>(counter >> 32);
    }
    for (std::size_t block = 0; block < job.blocks; ++block) {
        V m[16];
        for (std::size_t group = 0; group < 16; group += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane)
                std::memcpy(&m[group + lane],
                            inputs + lane * stride + block * blockSize + 4 * group, sizeof(V));
            transpose<1>(m + group);
        }
        const std::uint32_t flags =
            job.always | (block == 0 ? job.first : 0U) | (block + 1 == job.blocks ? job.last : 0U);
        V v[16] = {h[0],
                   h[1],
                   h[2],
                   h[3],
                   h[4],
                   h[5],
                   h[6],
                   h[7],
                   V{} + initial[0],
                   V{} + initial[1],
                   V{} + initial[2],
                   V{} + initial[3],
                   low,
                   high,
                   V{} + std::uint32_t{blockSize},
                   V{} + flags};
        sevenRounds(v, m);
        for (std::size_t i = 0; i < 8; ++i)
            h[i] = v[i] ^ v[i + 8];
    }
    for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t i = 0; i < 8; ++i)
            storeInteger(out + lane * valueSize + 4 * i, std::uint32_t{h[i][lane]});
}

void fourLanes(const std::byte* inputs, const Job& job, std::byte* out) {
    severalLanes<Four>(inputs, job, out);
}
#if defined(__x86_64__)
[[gnu::target("avx2")]] void eightLanes(const std::byte* inputs, const Job& job, std::byte* out) {
    severalLanes<Eight>(inputs, job, out);
}
[[gnu::target("avx512f")]] void sixteenLanes(const std::byte* inputs, const Job& job,
                                             std::byte* out) {
    severalLanes<Sixteen>(inputs, job, out);
}
#endif
#endif

/// The ways this CPU has, widest first; the last one takes single inputs.
struct Widths {
    std::array<Width, 4> list{};
    std::size_t count = 0;

    Widths() {
#ifdef ICECORE_VECTORS
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx512f")) list[count++] = {16, sixteenLanes};
        if (__builtin_cpu_supports("avx2")) list[count++] = {8, eightLanes};
#endif
        list[count++] = {4, fourLanes};
#endif
        list[count++] = {1, oneLane};
    }
};

void runAll(const std::byte* inputs, std::size_t count, Job job, std::byte* out) {
    static const Widths widths;
    for (std::size_t i = 0; i < widths.count; ++i) {
        const Width& width = widths.list[i];
        for (; count >= width.lanes; count -= width.lanes) {
            width.run(inputs, job, out);
            inputs += width.lanes * job.blocks * blockSize;
            out += width.lanes * valueSize;
            if (job.counting) job.counter += width.lanes;
        }
    }
}

}  // namespace

void compress(Value& value, const std::byte* block, std::uint64_t counter, std::uint32_t length,
              std::uint32_t flags) {
    std::uint32_t m[16];
    for (std::size_t i = 0; i < 16; ++i)
        m[i] = loadInteger<std::uint32_t>(block + 4 * i);
    std::uint32_t v[16] = {value[0],
                           value[1],
                           value[2],
                           value[3],
                           value[4],
                           value[5],
                           value[6],
                           value[7],
                           initial[0],
                           initial[1],
                           initial[2],
                           initial[3],
                           static_cast<std::uint32_t>(counter),
                           static_cast<std::uint32_t>(counter >> 32),
                           length,
                           flags};
    sevenRounds(v, m);
    for (std::size_t i = 0; i < value.size(); ++i)
        value[i] = v[i] ^ v[i + 8];
}

void chunkValues(const std::byte* chunks, std::size_t count, std::uint64_t counter,
                 std::byte* out) {
    runAll(chunks, count, {chunkSize / blockSize, counter, true, chunkStart, 0, chunkEnd}, out);
}

void parentValues(const std::byte* pairs, std::size_t count, std::byte* out) {
    runAll(pairs, count, {1, 0, false, 0, parentNode, 0}, out);
}

}  // namespace icecore::blake3
