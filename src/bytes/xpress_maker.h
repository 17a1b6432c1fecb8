// Compresses with Xpress, for tests of what unpacks it: simply, and with every kind of item.
// Specification: [MS-XCA] 2.1 (LZ77+Huffman) and 2.3 (plain LZ77).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <queue>
#include <span>
#include <vector>

#include "bytes/endian.h"

namespace icecore::testing {

struct XpressItem {
    std::uint32_t length = 1, distance = 0;  ///< distance 0: the byte itself
    std::byte literal{};
};

/// Greedy: the last place where the same three bytes stood.
inline std::vector<XpressItem> xpressItems(std::span<const std::byte> bytes, std::size_t furthest) {
    std::vector<XpressItem> items;
    std::vector<std::size_t> last(65536, SIZE_MAX);
    for (std::size_t at = 0; at < bytes.size();) {
        XpressItem item;
        item.literal = bytes[at];
        if (at + 3 <= bytes.size()) {
            std::uint32_t key = 0;
            for (std::size_t i = 0; i < 3; ++i)
                key = key * 257 + std::to_integer<std::uint32_t>(bytes[at + i]);
            std::size_t& place = last[key % last.size()];
            std::size_t length = 0;
            if (place != SIZE_MAX && at - place <= furthest) {
                while (at + length < bytes.size() && bytes[place + length] == bytes[at + length])
                    ++length;
            }
            if (length >= 3) {
                item.length = static_cast<std::uint32_t>(length);
                item.distance = static_cast<std::uint32_t>(at - place);
            }
            place = at;
        }
        at += item.length;
        items.push_back(item);
    }
    return items;
}

inline std::vector<std::byte> packXpress(std::span<const std::byte> bytes) {
    std::vector<std::byte> out;
    std::size_t flagsAt = 0;
    std::uint32_t flags = 0;
    unsigned count = 32;
    std::size_t halfAt = 0;
    const auto flag = [&](bool set) {
        if (count == 32) {
            if (!out.empty()) storeInteger(out.data() + flagsAt, flags);
            flagsAt = out.size();
            appendInteger(out, std::uint32_t{0});
            flags = 0;
            count = 0;
        }
        flags = flags << 1 | (set ? 1U : 0U);
        ++count;
    };
    for (const XpressItem& item : xpressItems(bytes, 8192)) {
        flag(item.distance != 0);
        if (item.distance == 0) {
            out.push_back(item.literal);
            continue;
        }
        const std::uint32_t length = item.length - 3;
        appendInteger(out, static_cast<std::uint16_t>((item.distance - 1) << 3 |
                                                      std::min<std::uint32_t>(length, 7)));
        if (length < 7) continue;
        const auto half = static_cast<std::uint8_t>(std::min<std::uint32_t>(length - 7, 15));
        if (halfAt == 0) {
            halfAt = out.size();
            appendInteger(out, half);
        } else {
            out[halfAt] |= static_cast<std::byte>(half << 4);
            halfAt = 0;
        }
        if (half < 15) continue;
        const std::uint32_t more = length - 7 - 15;
        appendInteger(out, static_cast<std::uint8_t>(std::min<std::uint32_t>(more, 255)));
        if (more < 255) continue;
        appendInteger(out, static_cast<std::uint16_t>(length < 65536 ? length : 0));
        if (length >= 65536) appendInteger(out, length);
    }
    // What is left of the last flags is set: the end is a match with nothing behind it.
    if (count == 32) flag(true);
    while (count < 32)
        flag(true);
    storeInteger(out.data() + flagsAt, flags);
    return out;
}

/// Lengths of a Huffman code of at most 15 bits: halves the frequencies until it fits.
inline std::array<unsigned, 512> codeLengths(std::array<std::uint64_t, 512> counts) {
    while (true) {
        struct Node {
            std::uint64_t count;
            int left, right, symbol;
        };
        std::vector<Node> nodes;
        using Entry = std::pair<std::uint64_t, int>;
        std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] == 0) continue;
            open.emplace(counts[i], static_cast<int>(nodes.size()));
            nodes.push_back({counts[i], -1, -1, static_cast<int>(i)});
        }
        while (open.size() > 1) {
            const auto [one, left] = open.top();
            open.pop();
            const auto [two, right] = open.top();
            open.pop();
            open.emplace(one + two, static_cast<int>(nodes.size()));
            nodes.push_back({one + two, left, right, -1});
        }
        std::array<unsigned, 512> lengths{};
        unsigned longest = 0;
        std::vector<std::pair<int, unsigned>> walk = {{open.top().second, 0}};
        while (!walk.empty()) {
            const auto [at, depth] = walk.back();
            walk.pop_back();
            const Node& node = nodes[static_cast<std::size_t>(at)];
            if (node.symbol >= 0) {
                lengths[static_cast<std::size_t>(node.symbol)] = depth;
                longest = std::max(longest, depth);
            } else {
                walk.emplace_back(node.left, depth + 1);
                walk.emplace_back(node.right, depth + 1);
            }
        }
        if (longest <= 15) return lengths;
        for (std::uint64_t& count : counts)
            count = (count + 1) / 2;
    }
}

/// One table for at most 64 KiB of content.
inline std::vector<std::byte> packXpressHuffman(std::span<const std::byte> bytes) {
    const std::vector<XpressItem> items = xpressItems(bytes, 65535);
    const auto symbolOf = [](const XpressItem& item) -> std::size_t {
        if (item.distance == 0) return std::to_integer<std::size_t>(item.literal);
        const auto bits = static_cast<unsigned>(std::bit_width(item.distance) - 1);
        return 256 + bits * 16 + std::min<std::uint32_t>(item.length - 3, 15);
    };
    std::array<std::uint64_t, 512> counts{};
    for (const XpressItem& item : items)
        ++counts[symbolOf(item)];
    ++counts[256];  // the end
    if (std::ranges::count(counts, 0U) == 511) ++counts[0];
    const auto lengths = codeLengths(counts);
    std::array<std::uint32_t, 512> codes{};
    std::uint32_t code = 0;
    for (unsigned length = 1; length <= 15; ++length) {
        code <<= 1;
        for (std::size_t symbol = 0; symbol < 512; ++symbol) {
            if (lengths[symbol] == length) codes[symbol] = code++;
        }
    }
    std::vector<std::byte> out(256);
    for (std::size_t symbol = 0; symbol < 512; ++symbol)
        out[symbol / 2] |= static_cast<std::byte>(lengths[symbol] << (symbol % 2 * 4));
    // Words of 16 bits are reserved two ahead, so that bytes of lengths stand where they are read.
    std::array<std::size_t, 2> words = {out.size(), out.size() + 2};
    out.resize(out.size() + 4);
    std::uint32_t word = 0;
    unsigned used = 0;
    const auto put = [&](std::uint32_t value, unsigned bits) {
        for (unsigned i = bits; i-- > 0;) {
            // Not before another bit comes: what reads takes the next word as late.
            if (used == 16) {
                storeInteger(out.data() + words[0], static_cast<std::uint16_t>(word));
                words = {words[1], out.size()};
                out.resize(out.size() + 2);
                used = 0;
            }
            word = word << 1 | (value >> i & 1U);
            ++used;
        }
    };
    for (const XpressItem& item : items) {
        const std::size_t symbol = symbolOf(item);
        put(codes[symbol], lengths[symbol]);
        if (item.distance == 0) continue;
        const std::uint32_t length = item.length - 3;
        if (length >= 15) {
            appendInteger(out,
                          static_cast<std::uint8_t>(std::min<std::uint32_t>(length - 15, 255)));
            if (length - 15 >= 255) {
                appendInteger(out, static_cast<std::uint16_t>(length < 65536 ? length : 0));
                if (length >= 65536) appendInteger(out, length);
            }
        }
        const auto bits = static_cast<unsigned>(std::bit_width(item.distance) - 1);
        put(item.distance - (1U << bits), bits);
    }
    put(codes[256], lengths[256]);
    storeInteger(out.data() + words[0], static_cast<std::uint16_t>(word << (16 - used)));
    return out;
}

}  // namespace icecore::testing
