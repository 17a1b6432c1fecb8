// MD5, SHA-1 and SHA-512: blocks that are mixed into a state one after another.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "bytes/endian.h"
#include "bytes/hash_state.h"

namespace icecore {

namespace {

/// Blocks, padding and length, which the three have in common. `Mix` has the words of its state,
/// mixes blocks into them, and says how it writes numbers.
template <class Mix>
class BlockHash final : public Hasher::State {
public:
    void update(std::span<const std::byte> bytes) override {
        total_ += bytes.size();
        while (!bytes.empty()) {
            if (used_ == 0 && bytes.size() >= blockSize) {
                mix_.block(bytes.data());
                bytes = bytes.subspan(blockSize);
                continue;
            }
            const std::size_t count = std::min(bytes.size(), blockSize - used_);
            std::memcpy(buffer_.data() + used_, bytes.data(), count);
            used_ += count;
            bytes = bytes.subspan(count);
            if (used_ < blockSize) break;
            mix_.block(buffer_.data());
            used_ = 0;
        }
    }

    std::vector<std::byte> finish() override {
        const std::uint64_t bits = total_ * 8;
        // A one, zeros, and the length in the last bytes of a block.
        std::array<std::byte, 2 * blockSize> end{};
        end[0] = std::byte{0x80};
        const std::size_t whole =
            (used_ + 1 + Mix::lengthSize <= blockSize ? blockSize : 2 * blockSize) - used_;
        const std::size_t at = Mix::order == std::endian::big ? whole - 8 : whole - Mix::lengthSize;
        storeInteger(end.data() + at, bits, Mix::order);
        update(std::span(end).first(whole));
        std::vector<std::byte> result;
        for (const auto word : mix_.state)
            appendInteger(result, word, Mix::order);
        return result;
    }

private:
    static constexpr std::size_t blockSize = Mix::blockSize;
    Mix mix_;
    std::array<std::byte, blockSize> buffer_{};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

/// RFC 1321, 3.4: floor(2^32 * abs(sin(i + 1))).
constexpr std::array<std::uint32_t, 64> md5Sines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<std::array<int, 4>, 4> md5Turns = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

struct Md5 {
    static constexpr std::size_t blockSize = 64, lengthSize = 8;
    static constexpr std::endian order = std::endian::little;
    std::array<std::uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

    void block(const std::byte* bytes) {
        std::array<std::uint32_t, 16> words{};
        for (std::size_t i = 0; i < 16; ++i)
            words[i] = loadInteger<std::uint32_t>(bytes + 4 * i);
        auto [a, b, c, d] = state;
        for (std::size_t i = 0; i < 64; ++i) {
            std::uint32_t f = 0;
            std::size_t which = 0;
            switch (i / 16) {
            case 0:
                f = (b & c) | (~b & d);
                which = i;
                break;
            case 1:
                f = (d & b) | (~d & c);
                which = (5 * i + 1) % 16;
                break;
            case 2:
                f = b ^ c ^ d;
                which = (3 * i + 5) % 16;
                break;
            default:
                f = c ^ (b | ~d);
                which = (7 * i) % 16;
                break;
            }
            const std::uint32_t sum = a + f + md5Sines[i] + words[which];
            a = d;
            d = c;
            c = b;
            b += std::rotl(sum, md5Turns[i / 16][i % 4]);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
    }
};

struct Sha1 {
    static constexpr std::size_t blockSize = 64, lengthSize = 8;
    static constexpr std::endian order = std::endian::big;
    std::array<std::uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                                          0xc3d2e1f0};

    void block(const std::byte* bytes) {
        std::array<std::uint32_t, 80> words{};
        for (std::size_t i = 0; i < 16; ++i)
            words[i] = loadInteger<std::uint32_t>(bytes + 4 * i, std::endian::big);
        for (std::size_t i = 16; i < 80; ++i)
            words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        auto [a, b, c, d, e] = state;
        for (std::size_t i = 0; i < 80; ++i) {
            std::uint32_t f = 0;
            std::uint32_t k = 0;
            switch (i / 20) {
            case 0:
                f = (b & c) | (~b & d);
                k = 0x5a827999;
                break;
            case 1:
                f = b ^ c ^ d;
                k = 0x6ed9eba1;
                break;
            case 2:
                f = (b & c) | (b & d) | (c & d);
                k = 0x8f1bbcdc;
                break;
            default:
                f = b ^ c ^ d;
                k = 0xca62c1d6;
                break;
            }
            const std::uint32_t sum = std::rotl(a, 5) + f + e + k + words[i];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = sum;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
};

/// FIPS 180-4, 4.2.3.
constexpr std::array<std::uint64_t, 80> sha512Roots = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

struct Sha512 {
    static constexpr std::size_t blockSize = 128, lengthSize = 16;
    static constexpr std::endian order = std::endian::big;
    std::array<std::uint64_t, 8> state = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

    void block(const std::byte* bytes) {
        std::array<std::uint64_t, 80> w{};
        for (std::size_t i = 0; i < 16; ++i)
            w[i] = loadInteger<std::uint64_t>(bytes + 8 * i, std::endian::big);
        for (std::size_t i = 16; i < 80; ++i) {
            const std::uint64_t low =
                std::rotr(w[i - 15], 1) ^ std::rotr(w[i - 15], 8) ^ (w[i - 15] >> 7);
            const std::uint64_t high =
                std::rotr(w[i - 2], 19) ^ std::rotr(w[i - 2], 61) ^ (w[i - 2] >> 6);
            w[i] = w[i - 16] + low + w[i - 7] + high;
        }
        auto [a, b, c, d, e, f, g, h] = state;
        for (std::size_t i = 0; i < 80; ++i) {
            const std::uint64_t s1 = std::rotr(e, 14) ^ std::rotr(e, 18) ^ std::rotr(e, 41);
            const std::uint64_t one = h + s1 + ((e & f) ^ (~e & g)) + sha512Roots[i] + w[i];
            const std::uint64_t s0 = std::rotr(a, 28) ^ std::rotr(a, 34) ^ std::rotr(a, 39);
            const std::uint64_t two = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g;
            g = f;
            f = e;
            e = d + one;
            d = c;
            c = b;
            b = a;
            a = one + two;
        }
        const std::array<std::uint64_t, 8> mixed = {a, b, c, d, e, f, g, h};
        for (std::size_t i = 0; i < 8; ++i)
            state[i] += mixed[i];
    }
};

}  // namespace

std::unique_ptr<Hasher::State> newMd5() {
    return std::make_unique<BlockHash<Md5>>();
}
std::unique_ptr<Hasher::State> newSha1() {
    return std::make_unique<BlockHash<Sha1>>();
}
std::unique_ptr<Hasher::State> newSha512() {
    return std::make_unique<BlockHash<Sha512>>();
}

}  // namespace icecore
