#include "bytes/hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "bytes/endian.h"
#include "bytes/hash_state.h"
#include "bytes/sha256_block.h"

namespace icecore {

namespace {

class Sha256 final : public Hasher::State {
public:
    void update(std::span<const std::byte> bytes) override {
        total_ += bytes.size();
        if (used_ > 0) {
            const std::size_t count = std::min(bytes.size(), buffer_.size() - used_);
            std::memcpy(buffer_.data() + used_, bytes.data(), count);
            used_ += count;
            bytes = bytes.subspan(count);
            if (used_ < buffer_.size()) return;
            sha256Blocks(state_, buffer_.data(), 1);
            used_ = 0;
        }
        const std::size_t blocks = bytes.size() / buffer_.size();
        sha256Blocks(state_, bytes.data(), blocks);
        bytes = bytes.subspan(blocks * buffer_.size());
        std::ranges::copy(bytes, buffer_.begin());
        used_ = bytes.size();
    }

    std::vector<std::byte> finish() override {
        std::array<std::byte, 128> end{};
        end[0] = std::byte{0x80};
        const std::size_t padding = (used_ < 56 ? 56 : 120) - used_;
        storeInteger(end.data() + padding, total_ * 8, std::endian::big);
        update(std::span(end).first(padding + 8));
        std::vector<std::byte> result;
        for (const std::uint32_t word : state_)
            appendInteger(result, word, std::endian::big);
        return result;
    }

private:
    Sha256State state_ = sha256Initial;
    std::array<std::byte, 64> buffer_{};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

/// RFC 7693, 2.6: the initial vector is SHA-512's.
constexpr std::array<std::uint64_t, 8> blakeVector = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
/// RFC 7693, 2.7.
constexpr std::array<std::array<std::uint8_t, 16>, 10> blakeOrder = {{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}};

class Blake2b final : public Hasher::State {
public:
    Blake2b() { state_[0] ^= 0x01010040; }  // 64 bytes of hash, no key, no tree

    void update(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            // The last block is marked: it stays here until there is more or the end.
            if (used_ == buffer_.size()) {
                total_ += used_;
                compress(buffer_.data(), false);
                used_ = 0;
            }
            while (used_ == 0 && bytes.size() > buffer_.size()) {
                total_ += buffer_.size();
                compress(bytes.data(), false);
                bytes = bytes.subspan(buffer_.size());
            }
            const std::size_t count = std::min(bytes.size(), buffer_.size() - used_);
            std::memcpy(buffer_.data() + used_, bytes.data(), count);
            used_ += count;
            bytes = bytes.subspan(count);
        }
    }

    std::vector<std::byte> finish() override {
        total_ += used_;
        std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(used_), buffer_.end(),
                  std::byte{0});
        compress(buffer_.data(), true);
        std::vector<std::byte> result;
        for (const std::uint64_t word : state_)
            appendInteger(result, word);
        return result;
    }

private:
    void compress(const std::byte* block, bool last) {
        std::array<std::uint64_t, 16> m{};
        for (std::size_t i = 0; i < m.size(); ++i)
            m[i] = loadInteger<std::uint64_t>(block + 8 * i);
        std::array<std::uint64_t, 16> v{};
        std::ranges::copy(state_, v.begin());
        std::ranges::copy(blakeVector, v.begin() + 8);
        v[12] ^= total_;
        if (last) v[14] = ~v[14];
        const auto mix = [&v](std::size_t a, std::size_t b, std::size_t c, std::size_t d,
                              std::uint64_t x, std::uint64_t y) {
            v[a] += v[b] + x;
            v[d] = std::rotr(v[d] ^ v[a], 32);
            v[c] += v[d];
            v[b] = std::rotr(v[b] ^ v[c], 24);
            v[a] += v[b] + y;
            v[d] = std::rotr(v[d] ^ v[a], 16);
            v[c] += v[d];
            v[b] = std::rotr(v[b] ^ v[c], 63);
        };
        for (std::size_t round = 0; round < 12; ++round) {
            const auto& s = blakeOrder[round % 10];
            mix(0, 4, 8, 12, m[s[0]], m[s[1]]);
            mix(1, 5, 9, 13, m[s[2]], m[s[3]]);
            mix(2, 6, 10, 14, m[s[4]], m[s[5]]);
            mix(3, 7, 11, 15, m[s[6]], m[s[7]]);
            mix(0, 5, 10, 15, m[s[8]], m[s[9]]);
            mix(1, 6, 11, 12, m[s[10]], m[s[11]]);
            mix(2, 7, 8, 13, m[s[12]], m[s[13]]);
            mix(3, 4, 9, 14, m[s[14]], m[s[15]]);
        }
        for (std::size_t i = 0; i < state_.size(); ++i)
            state_[i] ^= v[i] ^ v[i + 8];
    }

    std::array<std::uint64_t, 8> state_ = blakeVector;
    std::array<std::byte, 128> buffer_{};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace

std::string_view toString(HashKind kind) {
    switch (kind) {
    case HashKind::sha256: return "sha256";
    case HashKind::blake3: return "blake3";
    case HashKind::blake2b: return "blake2b";
    case HashKind::md5: return "md5";
    case HashKind::sha1: return "sha1";
    case HashKind::sha512: return "sha512";
    }
    return "unknown";
}

Hasher::Hasher(HashKind kind) {
    switch (kind) {
    case HashKind::sha256: state_ = std::make_unique<Sha256>(); break;
    case HashKind::blake3: state_ = newBlake3(); break;
    case HashKind::blake2b: state_ = std::make_unique<Blake2b>(); break;
    case HashKind::md5: state_ = newMd5(); break;
    case HashKind::sha1: state_ = newSha1(); break;
    case HashKind::sha512: state_ = newSha512(); break;
    }
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
    if (!bytes.empty()) state_->update(bytes);
}

void Hasher::zeros(std::uint64_t count) {
    static constexpr std::array<std::byte, 65536> none{};
    for (; count > none.size(); count -= none.size())
        state_->update(none);
    state_->update(std::span(none).first(static_cast<std::size_t>(count)));
}

void sha256Each(std::span<const std::byte> bytes, std::size_t piece,
                std::vector<std::byte>& hashes) {
    const auto append = [&hashes](const Sha256State& state) {
        for (const std::uint32_t word : state)
            appendInteger(hashes, word, std::endian::big);
    };
    // What ends with a whole block is followed by one that is the same for all.
    std::array<std::byte, sha256Block> end{};
    end[0] = std::byte{0x80};
    storeInteger(end.data() + 56, std::uint64_t{piece} * 8, std::endian::big);
    while (piece % sha256Block == 0 && bytes.size() >= 2 * piece) {
        Sha256State one = sha256Initial, two = sha256Initial;
        sha256Blocks(one, two, bytes.data(), bytes.data() + piece, piece / sha256Block);
        sha256Blocks(one, two, end.data(), end.data(), 1);
        append(one);
        append(two);
        bytes = bytes.subspan(2 * piece);
    }
    while (!bytes.empty()) {
        Hasher hasher(HashKind::sha256);
        const auto part = bytes.first(std::min(piece, bytes.size()));
        hasher.update(part);
        const std::vector<std::byte> hash = hasher.finish();
        hashes.insert(hashes.end(), hash.begin(), hash.end());
        bytes = bytes.subspan(part.size());
    }
}

std::vector<std::byte> Hasher::finish() {
    return state_->finish();
}

}  // namespace icecore
