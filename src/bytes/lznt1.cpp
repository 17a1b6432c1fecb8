#include "bytes/lznt1.h"

#include <algorithm>
#include <bit>

#include "bytes/endian.h"

namespace icecore {

namespace {

constexpr std::size_t chunkContent = 4096;
constexpr std::uint16_t compressedFlag = 0x8000, sizeMask = 0x0fff;

std::unexpected<Error> damaged() {
    return fail(Errc::malformed, "damaged block of LZNT1");
}

/// One chunk, whose content begins at `begin` of `out`; returns where it ends.
Result<std::size_t> unpackChunk(std::span<const std::byte> packed, std::span<std::byte> out,
                                std::size_t begin) {
    std::size_t at = begin;
    std::size_t from = 0;
    while (from < packed.size()) {
        unsigned flags = std::to_integer<unsigned>(packed[from++]);
        for (int bit = 0; bit < 8 && from < packed.size(); ++bit, flags >>= 1) {
            if ((flags & 1U) == 0) {
                if (at >= out.size() || at - begin >= chunkContent) return damaged();
                out[at++] = packed[from++];
                continue;
            }
            if (packed.size() - from < 2 || at == begin) return damaged();
            const unsigned phrase = loadInteger<std::uint16_t>(packed.data() + from);
            from += 2;
            // The further into the chunk, the more bits the distance needs: at least four.
            const auto position = static_cast<unsigned>(at - begin);
            const int distanceBits = std::max(4, static_cast<int>(std::bit_width(position - 1)));
            const int lengthBits = 16 - distanceBits;
            const std::size_t distance = (phrase >> lengthBits) + 1;
            const std::size_t length = (phrase & ((1U << lengthBits) - 1)) + 3;
            if (distance > at - begin || length > out.size() - at ||
                at - begin + length > chunkContent)
                return damaged();
            for (std::size_t i = 0; i < length; ++i, ++at)
                out[at] = out[at - distance];
        }
    }
    return at;
}

}  // namespace

Result<std::size_t> unpackLznt1(std::span<const std::byte> packed, std::span<std::byte> out) {
    std::size_t from = 0;
    std::size_t at = 0;
    while (packed.size() - from >= 2) {
        const auto header = loadInteger<std::uint16_t>(packed.data() + from);
        if (header == 0) break;
        from += 2;
        const std::size_t size = static_cast<std::size_t>(header & sizeMask) + 1;
        if (size > packed.size() - from) return damaged();
        const auto chunk = packed.subspan(from, size);
        from += size;
        if ((header & compressedFlag) != 0) {
            ASSIGN_OR_RETURN(at, unpackChunk(chunk, out, at));
        } else {
            if (size > out.size() - at) return damaged();
            std::ranges::copy(chunk, out.begin() + static_cast<std::ptrdiff_t>(at));
            at += size;
        }
    }
    return at;
}

}  // namespace icecore
