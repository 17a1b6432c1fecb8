#include "bytes/xpress.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "bytes/endian.h"

namespace icecore {

namespace {

constexpr unsigned leastMatch = 3;

std::unexpected<Error> damaged() {
    return fail(Errc::malformed, "damaged Xpress data");
}

/// What is left of the packed bytes. Reading behind the end gives zero and is remembered.
class Input {
public:
    explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
    template <class T>
    T take() {
        if (bytes_.size() - at_ < sizeof(T)) {
            failed_ = true;
            at_ = bytes_.size();
            return 0;
        }
        at_ += sizeof(T);
        return loadInteger<T>(bytes_.data() + at_ - sizeof(T));
    }
    [[nodiscard]] std::size_t position() const { return at_; }
    [[nodiscard]] std::uint8_t at(std::size_t position) const {
        return std::to_integer<std::uint8_t>(bytes_[position]);
    }
    [[nodiscard]] bool atEnd() const { return at_ == bytes_.size(); }
    [[nodiscard]] std::span<const std::byte> skip(std::size_t size) {
        const auto taken = bytes_.subspan(at_, std::min(size, bytes_.size() - at_));
        at_ += taken.size();
        return taken;
    }
    /// Whether more was taken than there is, or what was taken cannot be.
    [[nodiscard]] bool failed() const { return failed_; }
    void fail() { failed_ = true; }

private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

/// The lengths that do not fit the item itself: a byte, then 16 bits, then 32. `added` is what the
/// item held already.
std::uint64_t longLength(Input& input, unsigned added) {
    std::uint64_t length = input.take<std::uint8_t>();
    if (length < 255) return length + added;
    length = input.take<std::uint16_t>();
    if (length == 0) length = input.take<std::uint32_t>();
    if (length < added) input.fail();
    return length;
}

/// Copies what was unpacked `distance` bytes ago; the two may overlap. False where that lies before
/// the beginning. The copy is cut at the end of `out`.
bool copyMatch(std::span<std::byte> out, std::size_t& done, std::uint64_t distance,
               std::uint64_t length) {
    if (distance == 0 || distance > done) return false;
    const auto from = static_cast<std::size_t>(done - distance);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(length, out.size() - done));
    for (std::size_t i = 0; i < count; ++i)
        out[done + i] = out[from + i];
    done += count;
    return true;
}

constexpr unsigned longestCode = 15;
constexpr std::size_t symbolCount = 512, tableSize = symbolCount / 2;
constexpr std::size_t blockContent = 65536;
constexpr unsigned endSymbol = 256;

/// Codes of up to 15 bits, looked up by the next 15 bits.
class Codes {
public:
    struct Entry {
        std::uint16_t symbol = 0;
        std::uint8_t bits = 0;
    };
    /// Four bits for each symbol; false where they are no complete code.
    bool build(std::span<const std::byte> lengths) {
        std::size_t next = 0;
        for (unsigned bits = 1; bits <= longestCode; ++bits) {
            const std::size_t each = std::size_t{1} << (longestCode - bits);
            for (std::size_t symbol = 0; symbol < symbolCount; ++symbol) {
                const auto pair = std::to_integer<unsigned>(lengths[symbol / 2]);
                if (((symbol % 2 != 0) ? pair >> 4 : pair & 0xfU) != bits) continue;
                if (each > entries_.size() - next) return false;
                std::fill_n(
                    entries_.begin() + static_cast<std::ptrdiff_t>(next), each,
                    Entry{static_cast<std::uint16_t>(symbol), static_cast<std::uint8_t>(bits)});
                next += each;
            }
        }
        return next == entries_.size();
    }
    [[nodiscard]] const Entry& operator[](std::uint32_t bits) const { return entries_[bits]; }

private:
    std::array<Entry, std::size_t{1} << longestCode> entries_{};
};

/// 32 bits, filled 16 at a time from the high end; bytes of lengths stand between those words.
class BitBuffer {
public:
    explicit BitBuffer(Input& input) : input_(input) {
        next_ = std::uint32_t{input.take<std::uint16_t>()} << 16;
        next_ |= input.take<std::uint16_t>();
    }
    /// The next `count` bits, 1 to 15.
    [[nodiscard]] std::uint32_t peek(unsigned count) const { return next_ >> (32 - count); }
    void drop(unsigned count) {
        next_ <<= count;
        extra_ -= static_cast<int>(count);
        if (extra_ >= 0) return;
        // Of what is read ahead the last word may not be there, as nothing of it is needed.
        if (!input_.atEnd())
            next_ |= std::uint32_t{input_.take<std::uint16_t>()} << -extra_;
        else if (std::exchange(beyond_, true))
            input_.fail();
        extra_ += 16;
    }

private:
    Input& input_;
    std::uint32_t next_ = 0;
    int extra_ = 16;
    bool beyond_ = false;
};

/// One table and up to 64 KiB of content. `done` is where in `out`; false where damaged.
bool unpackBlock(Input& input, Codes& codes, std::span<std::byte> out, std::size_t& done,
                 bool& finished) {
    const auto lengths = input.skip(tableSize);
    if (lengths.size() < tableSize || !codes.build(lengths)) return false;
    BitBuffer bits(input);
    const std::size_t end = std::min(out.size(), done + blockContent);
    while (done < end) {
        const Codes::Entry code = codes[bits.peek(longestCode)];
        bits.drop(code.bits);
        if (code.symbol == endSymbol && input.atEnd()) {
            finished = true;
            return true;
        }
        if (input.failed()) return false;
        if (code.symbol < endSymbol) {
            out[done++] = static_cast<std::byte>(code.symbol);
            continue;
        }
        const unsigned distanceBits = (code.symbol - endSymbol) / 16;
        std::uint64_t length = (code.symbol - endSymbol) % 16;
        if (length == 15) length = longLength(input, 15);
        std::uint32_t distance = 1U << distanceBits;
        if (distanceBits > 0) {
            distance |= bits.peek(distanceBits);
            bits.drop(distanceBits);
        }
        if (input.failed() || !copyMatch(out, done, distance, length + leastMatch)) return false;
    }
    return true;
}

}  // namespace

Result<std::size_t> unpackXpress(std::span<const std::byte> packed, std::span<std::byte> out) {
    Input input(packed);
    std::size_t done = 0;
    std::uint32_t flags = 0;
    unsigned flagsLeft = 0;
    std::size_t halfAt = 0;  // where the half of a byte lies that the next length takes; 0: none
    while (done < out.size()) {
        if (flagsLeft == 0) {
            if (input.atEnd()) break;
            flags = input.take<std::uint32_t>();
            flagsLeft = 32;
        }
        --flagsLeft;
        if (((flags >> flagsLeft) & 1U) == 0) {
            if (input.atEnd()) break;
            out[done++] = static_cast<std::byte>(input.take<std::uint8_t>());
            continue;
        }
        if (input.atEnd()) break;
        const std::uint16_t match = input.take<std::uint16_t>();
        std::uint64_t length = match % 8U;
        if (length == 7) {
            if (halfAt == 0) {
                halfAt = input.position();
                length = input.take<std::uint8_t>() % 16U;
            } else {
                length = input.at(halfAt) / 16U;
                halfAt = 0;
            }
            if (length < 15)
                length += 7;
            else
                length = longLength(input, 15 + 7);
        }
        if (input.failed() || !copyMatch(out, done, match / 8U + 1, length + leastMatch))
            return damaged();
    }
    if (input.failed()) return damaged();
    return done;
}

Result<std::size_t> unpackXpressHuffman(std::span<const std::byte> packed,
                                        std::span<std::byte> out) {
    Input input(packed);
    const auto codes = std::make_unique<Codes>();
    std::size_t done = 0;
    bool finished = false;
    while (done < out.size() && !finished) {
        if (!unpackBlock(input, *codes, out, done, finished)) return damaged();
    }
    return done;
}

}  // namespace icecore
