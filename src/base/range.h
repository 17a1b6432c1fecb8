// Overflow-checked address arithmetic, written once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

namespace icecore {

/// `a + b`, or nothing when it does not fit 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checkedAdd(std::uint64_t a, std::uint64_t b) {
    if (b > UINT64_MAX - a) return std::nullopt;
    return a + b;
}
[[nodiscard]] constexpr std::optional<std::uint64_t> checkedMultiply(std::uint64_t a,
                                                                     std::uint64_t b) {
    if (a != 0 && b > UINT64_MAX / a) return std::nullopt;
    return a * b;
}
/// `value` rounded up to a multiple of `alignment` (a power of two); saturates below 2^64.
[[nodiscard]] constexpr std::uint64_t alignUp(std::uint64_t value, std::uint64_t alignment) {
    const std::uint64_t mask = alignment - 1;
    return value > UINT64_MAX - mask ? ~mask : (value + mask) & ~mask;
}
[[nodiscard]] constexpr std::uint64_t alignDown(std::uint64_t value, std::uint64_t alignment) {
    return value & ~(alignment - 1);
}

/// The half-open range [begin, end) of addresses or offsets. begin <= end always holds; the very
/// last byte of a 64-bit space (2^64 - 1) cannot be in a Range, which no supported OS maps.
class Range {
public:
    constexpr Range() = default;

    /// [begin, begin + size), cut at 2^64 - 1 where it would wrap around.
    static constexpr Range ofSize(std::uint64_t begin, std::uint64_t size) {
        return {begin, size > UINT64_MAX - begin ? UINT64_MAX : begin + size};
    }
    /// [begin, end); empty at `begin` when end < begin.
    static constexpr Range between(std::uint64_t begin, std::uint64_t end) {
        return {begin, end < begin ? begin : end};
    }
    static constexpr Range all() { return {0, UINT64_MAX}; }

    [[nodiscard]] constexpr std::uint64_t begin() const { return begin_; }
    [[nodiscard]] constexpr std::uint64_t end() const { return end_; }
    [[nodiscard]] constexpr std::uint64_t size() const { return end_ - begin_; }
    [[nodiscard]] constexpr bool empty() const { return begin_ == end_; }
    [[nodiscard]] constexpr bool contains(std::uint64_t address) const {
        return address >= begin_ && address < end_;
    }
    [[nodiscard]] constexpr bool contains(Range other) const {
        return other.begin_ >= begin_ && other.end_ <= end_;
    }
    [[nodiscard]] constexpr bool overlaps(Range other) const {
        return begin_ < other.end_ && other.begin_ < end_;
    }
    /// The common part; empty when there is none.
    [[nodiscard]] constexpr Range intersect(Range other) const {
        return between(std::max(begin_, other.begin_), std::min(end_, other.end_));
    }
    constexpr auto operator<=>(const Range&) const = default;

private:
    constexpr Range(std::uint64_t begin, std::uint64_t end) : begin_(begin), end_(end) {}
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
};

/// Sorted, non-overlapping ranges that each carry a value. Build with `add` in any order, then
/// `seal`; where ranges overlap the one added first keeps the common part and the other keeps the
/// rest, in pieces where it lies on both sides. Look-ups are O(log n) and need a sealed map.
template <class T>
class RangeMap {
public:
    struct Entry {
        Range range;
        T value;
        bool operator==(const Entry&) const = default;
    };

    void add(Range range, T value) {
        if (!range.empty()) entries_.push_back({range, std::move(value)});
    }
    void reserve(std::size_t count) { entries_.reserve(count); }

    /// Sorts and cuts overlaps. Returns how many entries had to be cut or dropped.
    /// `shift(value, bytes)` adapts the value of an entry whose start is cut by `bytes`
    /// (e.g. advances a file offset).
    template <class Shift>
    std::size_t seal(Shift shift);
    std::size_t seal() {
        return seal([](T&, std::uint64_t) {});
    }

    /// The entry that contains `address`, or null.
    [[nodiscard]] const Entry* find(std::uint64_t address) const {
        auto next = firstAfter(address);
        if (next == entries_.begin()) return nullptr;
        --next;
        return next->range.contains(address) ? &*next : nullptr;
    }
    /// The first entry that contains `address` or lies above it, or null.
    [[nodiscard]] const Entry* findAtOrAfter(std::uint64_t address) const {
        if (const Entry* here = find(address)) return here;
        auto next = firstAfter(address);
        return next == entries_.end() ? nullptr : &*next;
    }

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    bool operator==(const RangeMap&) const = default;

private:
    auto firstAfter(std::uint64_t address) const {
        return std::upper_bound(
            entries_.begin(), entries_.end(), address,
            [](std::uint64_t value, const Entry& entry) { return value < entry.range.begin(); });
    }
    std::vector<Entry> entries_;
};

template <class T>
template <class Shift>
std::size_t RangeMap<T>::seal(Shift shift) {
    const auto startsBehind = [](const Entry& a, const Entry& b) {
        return b.range.begin() < a.range.end();
    };
    if (std::ranges::adjacent_find(entries_, startsBehind) == entries_.end()) return 0;

    std::vector<std::size_t> order(entries_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {},
                      [this](std::size_t i) { return std::pair(entries_[i].range.begin(), i); });
    // A sweep from the lowest address up. Of the entries that contain a place the one added first
    // has it: the smallest index.
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> open;
    std::vector<std::uint64_t> kept(entries_.size());  // bytes of each entry that stay
    std::vector<Entry> result;
    result.reserve(entries_.size());
    std::size_t last = entries_.size();  // whose piece result.back() is
    std::uint64_t position = 0;
    for (std::size_t next = 0; next < order.size() || !open.empty();) {
        if (open.empty()) position = entries_[order[next]].range.begin();
        while (next < order.size() && entries_[order[next]].range.begin() <= position)
            open.push(order[next++]);
        const std::size_t index = open.top();
        const Entry& entry = entries_[index];
        if (entry.range.end() <= position) {
            open.pop();
            continue;
        }
        const std::uint64_t end =
            next < order.size() ? std::min(entry.range.end(), entries_[order[next]].range.begin())
                                : entry.range.end();
        const Range piece = Range::between(position, end);
        kept[index] += piece.size();
        if (last == index && result.back().range.end() == position) {
            result.back().range = Range::between(result.back().range.begin(), end);
        } else {
            result.push_back({piece, entry.value});
            if (position > entry.range.begin())
                shift(result.back().value, position - entry.range.begin());
        }
        last = index;
        position = end;
    }
    std::size_t cut = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (kept[i] != entries_[i].range.size()) ++cut;
    }
    entries_ = std::move(result);
    return cut;
}

/// A set of addresses: sorted, disjoint, merged ranges.
class RangeSet {
public:
    void add(Range range);
    void subtract(Range range);
    [[nodiscard]] bool contains(std::uint64_t address) const;
    /// Whether every byte of `range` is in the set.
    [[nodiscard]] bool contains(Range range) const;
    /// The parts of `range` that are in the set, ascending.
    [[nodiscard]] std::vector<Range> within(Range range) const;
    /// The parts of `range` that are not, ascending.
    [[nodiscard]] std::vector<Range> missing(Range range) const;
    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
    /// Sum of all sizes in bytes.
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    bool operator==(const RangeSet&) const = default;

private:
    std::vector<Range> ranges_;
};

}  // namespace icecore
