#include "bytes/lzo.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "bytes/endian.h"

namespace icecore {

namespace {

/// The farthest distance of each kind of match, and how far its numbers count.
constexpr std::size_t nearDistance = 0x800;     // M2: 11 bits
constexpr std::size_t middleDistance = 0x4000;  // M3: 14 bits
constexpr std::size_t farDistance = 0xbfff;     // M4: 14 bits above M3's
constexpr unsigned hashBits = 13;
/// The last bytes are always literals: matches are looked for with whole words.
constexpr std::size_t tail = 8;

class Unpacker {
public:
    Unpacker(std::span<const std::byte> in, std::span<std::byte> out) : in_(in), out_(out) {}

    Result<std::size_t> run() {
        // The first byte of a stream may be a run of literals of its own kind.
        if (left() > 0 && peek() > 17) {
            const std::size_t count = peek() - 17U;
            ++position_;
            literals(count);
            state_ = std::min<std::size_t>(count, 4);
        }
        while (good_ && !ended_)
            step();
        if (!good_ || position_ != in_.size()) return fail(Errc::malformed, "damaged block of lzo");
        return made_;
    }

private:
    [[nodiscard]] std::size_t left() const { return in_.size() - position_; }
    [[nodiscard]] unsigned peek() const { return std::to_integer<unsigned>(in_[position_]); }
    unsigned next() {
        if (left() == 0) {
            good_ = false;
            return 0;
        }
        return std::to_integer<unsigned>(in_[position_++]);
    }
    unsigned next16() {
        const unsigned low = next();
        return low | (next() << 8);
    }
    /// Low `bits` of an instruction, or, where they are zero, a longer count behind it.
    std::size_t length(unsigned value, unsigned bits) {
        const unsigned mask = (1U << bits) - 1;
        if ((value & mask) != 0) return value & mask;
        std::size_t sum = mask;
        unsigned byte = 0;
        while (good_ && (byte = next()) == 0)
            sum += 255;
        return sum + byte;
    }
    void literals(std::size_t count) {
        if (count > left() || count > out_.size() - made_) {
            good_ = false;
            return;
        }
        std::memcpy(out_.data() + made_, in_.data() + position_, count);
        position_ += count;
        made_ += count;
    }
    void match(std::size_t distance, std::size_t count) {
        if (distance == 0 || distance > made_ || count > out_.size() - made_) {
            good_ = false;
            return;
        }
        std::byte* to = out_.data() + made_;
        const std::byte* from = to - distance;
        if (distance >= count) {
            std::memcpy(to, from, count);
        } else {
            for (std::size_t i = 0; i < count; ++i)  // what is copied may be what was just written
                to[i] = from[i];
        }
        made_ += count;
    }
    /// A match, then up to three literals as the state says.
    void matchThen(std::size_t distance, std::size_t count, unsigned after) {
        match(distance, count);
        state_ = after;
        if (good_ && after > 0) literals(after);
    }

    void step() {
        const unsigned op = next();
        if (!good_) return;
        if (op < 16) {
            if (state_ == 0) {
                literals(length(op, 4) + 3);
                state_ = 4;
                return;
            }
            const unsigned high = next();
            if (state_ == 4)
                matchThen((high << 2) + ((op >> 2) & 3U) + nearDistance + 1, 3, op & 3U);
            else
                matchThen((high << 2) + ((op >> 2) & 3U) + 1, 2, op & 3U);
        } else if (op < 32) {
            const std::size_t count = length(op, 3) + 2;
            const unsigned low = next16();
            const std::size_t distance = ((op & 8U) << 11) + (low >> 2);
            if (distance == 0) {  // the end
                ended_ = true;
                good_ = good_ && count == 3;
                return;
            }
            matchThen(distance + middleDistance, count, low & 3U);
        } else if (op < 64) {
            const std::size_t count = length(op, 5) + 2;
            const unsigned low = next16();
            matchThen((low >> 2) + 1, count, low & 3U);
        } else {
            const unsigned high = next();
            const std::size_t count = op < 128 ? 3 + ((op >> 5) & 1U) : 5 + ((op >> 5) & 3U);
            matchThen((high << 3) + ((op >> 2) & 7U) + 1, count, op & 3U);
        }
    }

    std::span<const std::byte> in_;
    std::span<std::byte> out_;
    std::size_t position_ = 0, made_ = 0;
    std::size_t state_ = 0;  ///< literals the last instruction copied; 4: four or more
    bool good_ = true, ended_ = false;
};

class Packer {
public:
    Packer(std::span<const std::byte> in, std::span<std::byte> out, std::span<std::byte> table)
        : in_(in), out_(out.data()), start_(out.data()), table_(table) {
        std::ranges::fill(table_, std::byte{0});
    }

    std::size_t run() {
        std::size_t at = 0;
        while (in_.size() > tail && at < in_.size() - tail) {
            const std::size_t found = lookUp(at);
            const std::size_t distance = at - found;
            if (found == at || distance > farDistance || load32(found) != load32(at)) {
                at += 1 + ((at - literalsFrom_) >> 5);  // what does not compress is passed quickly
                continue;
            }
            std::size_t count = 4;
            while (at + count < in_.size() - tail / 2 && in_[found + count] == in_[at + count])
                ++count;
            flushLiterals(at);
            putMatch(distance, count);
            at += count;
            literalsFrom_ = at;
        }
        flushLiterals(in_.size());
        put(0x11);
        put(0);
        put(0);
        return static_cast<std::size_t>(out_ - start_);
    }

private:
    [[nodiscard]] std::uint32_t load32(std::size_t at) const {
        return loadInteger<std::uint32_t>(in_.data() + at);
    }
    /// Where the same four bytes (perhaps) stood last; `at` when nowhere. Remembers `at`.
    std::size_t lookUp(std::size_t at) {
        const std::size_t slot = ((load32(at) * 0x9e3779b1U) >> (32 - hashBits)) * 4;
        const auto before = loadInteger<std::uint32_t>(table_.data() + slot);
        storeInteger(table_.data() + slot, static_cast<std::uint32_t>(at + 1));
        return before == 0 ? at : before - 1;
    }
    void put(std::size_t value) { *out_++ = static_cast<std::byte>(value); }
    void putLonger(std::size_t count) {
        for (; count > 255; count -= 255)
            put(0);
        put(count);
    }
    void flushLiterals(std::size_t end) {
        const std::size_t count = end - literalsFrom_;
        if (count == 0) return;
        if (out_ == start_ && count <= 238) {
            put(count + 17);
        } else if (out_ != start_ && count <= 3) {
            // In the low bits of the last match's second but last byte.
            out_[-2] |= static_cast<std::byte>(count);
        } else if (count <= 18) {
            put(count - 3);
        } else {
            put(0);
            putLonger(count - 18);
        }
        std::memcpy(out_, in_.data() + literalsFrom_, count);
        out_ += count;
    }
    void putMatch(std::size_t distance, std::size_t count) {
        if (distance <= nearDistance && count <= 8) {
            const std::size_t d = distance - 1;
            put(((count - 1) << 5) | ((d & 7) << 2));
            put(d >> 3);
            return;
        }
        std::size_t d = 0;
        if (distance <= middleDistance) {
            d = distance - 1;
            putCount(0x20, count - 2, 31);
        } else {
            d = distance - middleDistance;
            putCount(0x10 | ((d >> 11) & 8), count - 2, 7);
        }
        put((d << 2) & 0xff);
        put((d >> 6) & 0xff);
    }
    void putCount(std::size_t op, std::size_t count, std::size_t most) {
        if (count <= most) {
            put(op | count);
        } else {
            put(op);
            putLonger(count - most);
        }
    }

    std::span<const std::byte> in_;
    std::byte* out_;
    std::byte* start_;
    std::span<std::byte> table_;
    std::size_t literalsFrom_ = 0;
};

}  // namespace

Result<std::size_t> unpackLzo(std::span<const std::byte> packed, std::span<std::byte> out) {
    return Unpacker(packed, out).run();
}

Result<std::size_t> packLzo(std::span<const std::byte> content, std::span<std::byte> out,
                            std::span<std::byte> table) {
    if (out.size() < lzoBound(content.size()) || table.size() < lzoTableBytes ||
        content.size() > UINT32_MAX - 1)
        return fail(Errc::internal, "no room to compress into");
    return Packer(content, out, table.first(lzoTableBytes)).run();
}

}  // namespace icecore
