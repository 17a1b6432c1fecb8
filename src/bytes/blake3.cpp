// BLAKE3, after "BLAKE3: one function, fast everywhere" (2020), without a key, 32 bytes: a tree of
// hashes over chunks of 1 KiB, many of which are taken at a time.
#include <algorithm>
#include <bit>
#include <cstring>

#include "bytes/blake3_lanes.h"
#include "bytes/endian.h"
#include "bytes/hash_state.h"

namespace icecore {

namespace {

using namespace blake3;

/// Chunks of a subtree that is taken as a whole: its hashes stay in the first-level cache.
constexpr std::size_t mostChunks = 256;

class Blake3 final : public Hasher::State {
public:
    void update(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            // The last chunk is marked as part of the root: it stays here until there is more.
            if (used_ == chunkSize) {
                add(subtree(chunk_.data(), 1), 1);
                used_ = 0;
            }
            if (used_ == 0 && bytes.size() > chunkSize) {
                std::size_t count =
                    std::min(std::bit_floor((bytes.size() - 1) / chunkSize), mostChunks);
                while (chunks_ % count != 0)  // subtrees begin at multiples of their size
                    count /= 2;
                add(subtree(bytes.data(), count), count);
                bytes = bytes.subspan(count * chunkSize);
                continue;
            }
            const std::size_t count = std::min(bytes.size(), chunkSize - used_);
            std::memcpy(chunk_.data() + used_, bytes.data(), count);
            used_ += count;
            bytes = bytes.subspan(count);
        }
    }

    std::vector<std::byte> finish() override {
        Value value = initial;
        std::fill(chunk_.begin() + static_cast<std::ptrdiff_t>(used_), chunk_.end(), std::byte{0});
        const std::size_t blocks = std::max<std::size_t>(1, (used_ + blockSize - 1) / blockSize);
        for (std::size_t block = 0; block < blocks; ++block) {
            const bool last = block + 1 == blocks;
            const std::size_t length = last ? used_ - block * blockSize : blockSize;
            compress(value, chunk_.data() + block * blockSize, chunks_,
                     static_cast<std::uint32_t>(length),
                     (block == 0 ? chunkStart : 0U) | (last ? chunkEnd : 0U) |
                         (last && depth_ == 0 ? rootNode : 0U));
        }
        while (depth_ > 0) {
            --depth_;
            value = parent(stack_[depth_], value, depth_ == 0 ? rootNode : 0U);
        }
        std::vector<std::byte> result;
        for (const std::uint32_t word : value)
            appendInteger(result, word);
        return result;
    }

private:
    static Value parent(const Value& left, const Value& right, std::uint32_t flags) {
        std::array<std::byte, blockSize> both{};
        for (std::size_t i = 0; i < left.size(); ++i) {
            storeInteger(both.data() + 4 * i, left[i]);
            storeInteger(both.data() + valueSize + 4 * i, right[i]);
        }
        Value value = initial;
        compress(value, both.data(), 0, blockSize, parentNode | flags);
        return value;
    }

    /// The hash of `count` chunks, a power of two, that begin at chunk `chunks_`.
    [[nodiscard]] Value subtree(const std::byte* chunks, std::size_t count) const {
        std::array<std::byte, mostChunks * valueSize> values;
        chunkValues(chunks, count, chunks_, values.data());
        while (count > 1) {
            count /= 2;
            parentValues(values.data(), count, values.data());
        }
        Value value;
        for (std::size_t i = 0; i < value.size(); ++i)
            value[i] = loadInteger<std::uint32_t>(values.data() + 4 * i);
        return value;
    }

    /// Joins a subtree of `count` chunks with those before it that are as large, as in a binary
    /// counter. Never the root: more bytes follow.
    void add(Value value, std::size_t count) {
        chunks_ += count;
        for (std::uint64_t trees = chunks_ / count; trees % 2 == 0; trees /= 2)
            value = parent(stack_[--depth_], value, 0);
        stack_[depth_++] = value;
    }

    std::array<std::byte, chunkSize> chunk_{};
    std::size_t used_ = 0;
    std::uint64_t chunks_ = 0;       ///< that are in the stack
    std::array<Value, 64> stack_{};  ///< hashes of subtrees, largest first
    std::size_t depth_ = 0;
};

}  // namespace

std::unique_ptr<Hasher::State> newBlake3() {
    return std::make_unique<Blake3>();
}

}  // namespace icecore
