// Unwind rows by code address, shared by all threads that walk stacks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "unwind/unwind_row.h"

namespace icecore {

/// A hash table of fixed size without locks: finding is a few atomic loads, adding is one
/// compare-and-swap. Rows are never changed or removed; when the places for an address are taken,
/// its row is just not kept. Memory is bounded by the number of slots.
class RowCache {
public:
    RowCache();
    ~RowCache();
    RowCache(const RowCache&) = delete;
    RowCache& operator=(const RowCache&) = delete;

    /// The row of `address`, or null when it is not kept. Valid as long as the cache.
    [[nodiscard]] const UnwindRow* find(std::uint64_t address) const;
    /// Keeps `row` if there is place; the row now found for `address`, or null when there is none.
    const UnwindRow* add(std::uint64_t address, const UnwindRow& row);

private:
    struct Kept {
        std::uint64_t address;
        UnwindRow row;
    };
    static constexpr std::size_t slotCount = 1U << 14;
    static constexpr std::size_t probes = 8;
    std::unique_ptr<std::atomic<const Kept*>[]> slots_;
};

}  // namespace icecore
