// A machine's memory for tests: ranges of odd sizes, below and above 4 GiB, with every kind of
// page.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "formats/format.h"
#include "memory/address_space.h"

namespace icecore::image::testing {

/// Memory made up when asked for: of each eight pages three are zero, one is noise, the others are
/// like code and tables. Reading of the pages in `failing` fails.
class MadeUpMemory final : public AddressSpace {
public:
    explicit MadeUpMemory(std::vector<Range> ranges, std::vector<Range> failing = {})
        : ranges_(std::move(ranges)), failing_(std::move(failing)) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const auto inside = [address](Range range) { return range.contains(address); };
        const auto range = std::ranges::find_if(ranges_, inside);
        if (range == ranges_.end()) return {0, Absence::not_mapped};
        std::uint64_t end = std::min<std::uint64_t>(range->end(), address + out.size());
        Absence why = end < address + out.size() ? Absence::not_mapped : Absence::none;
        for (const Range& bad : failing_) {
            if (!bad.overlaps(Range::between(address, end))) continue;
            end = std::max(address, bad.begin());
            why = Absence::unreadable;
        }
        const auto count = static_cast<std::size_t>(end - address);
        for (std::size_t i = 0; i < count; ++i)
            out[i] = byteAt(address + i);
        return {count, why};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> extents;
        for (const Range& range : ranges_) {
            const Range part = range.intersect(within);
            if (!part.empty()) extents.push_back({part, Absence::none, false});
        }
        return extents;
    }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "made up"; }

    static std::byte byteAt(std::uint64_t at) {
        const std::uint64_t page = at >> 12;
        const std::uint64_t mixed = (at ^ (at >> 7)) * 0x9e3779b97f4a7c15ULL;
        switch (page % 8) {
        case 0:
        case 1:
        case 4: return std::byte{0};
        case 2: return static_cast<std::byte>(mixed >> 56);
        case 3: return static_cast<std::byte>((at % 64 < 48) ? 0 : page);
        default: return static_cast<std::byte>((at & 0xff) * (page & 3));
        }
    }

private:
    std::vector<Range> ranges_, failing_;
};

inline Snapshot machineOf(std::shared_ptr<const AddressSpace> memory) {
    Snapshot snapshot;
    snapshot.machine.emplace();
    snapshot.machine->physical = std::move(memory);
    return snapshot;
}

/// As a real memory map: the first page left out, an end that is no page's, the rest from `high` on
/// (above 4 GiB, where a format's file does not become as long).
inline std::vector<Range> usualRanges(std::uint64_t high = 0x100000000) {
    return {Range::between(0x1000, 0x9fc00), Range::between(0x100000, 0x1ff000),
            Range::ofSize(high, 0x123000)};
}

struct Written {
    std::vector<std::byte> bytes;
    WriteReport report;
};

}  // namespace icecore::image::testing
