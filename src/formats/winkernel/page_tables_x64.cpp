// Source: Intel SDM, volume 3, 4.5; the formats of entries that are not present: Windows Internals,
// part 1, "Address translation" (software PTEs).
#include "formats/winkernel/page_tables_x64.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace icecore::winkernel {

namespace {

constexpr std::uint64_t present = 1, large = 1U << 7U, prototype = 1U << 10U,
                        transition = 1U << 11U;
constexpr std::uint64_t frameMask = 0x000f'ffff'ffff'f000;
constexpr unsigned pageShift = 12, indexBits = 9, topLevel = 3;
/// How many tables an enumeration looks at: of a machine with terabytes a part is shown.
constexpr std::size_t mostTables = 1U << 18U;

std::uint64_t canonical(std::uint64_t address) {
    return (address >> 47U & 1U) != 0 ? address | 0xffff'0000'0000'0000 : address;
}

class TranslatedSpace final : public AddressSpace {
public:
    TranslatedSpace(std::shared_ptr<const AddressSpace> physical, std::uint64_t root)
        : physical_(std::move(physical)), root_(root & frameMask) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const auto at = checkedAdd(address, done);
            if (!at) return {done, Absence::not_mapped};
            const Place place = translate(*at);
            if (place.absence != Absence::none) return {done, place.absence};
            const auto piece =
                static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, place.left));
            const ReadOutcome got = physical_->read(place.physical, out.subspan(done, piece));
            done += got.bytes;
            if (got.bytes != piece)
                return {done,
                        got.stopped == Absence::not_mapped ? Absence::not_captured : got.stopped};
        }
        return {done, Absence::none};
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        Enumeration found{within, {}, 0};
        enumerate(root_, topLevel, 0, found);
        return std::move(found.extents);
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const Place place = translate(address);
        if (place.absence != Absence::none)
            return hex(address) + " is " + std::string(toString(place.absence));
        return hex(address) + " is physical " + hex(place.physical) + ", " +
               physical_->explain(place.physical);
    }

private:
    struct Place {
        std::uint64_t physical = 0;
        std::uint64_t left = 0;  ///< bytes to the end of the page
        Absence absence = Absence::not_mapped;
    };
    struct Enumeration {
        Range within;
        std::vector<Extent> extents;
        std::size_t tables;
    };

    static bool usable(std::uint64_t entry) {
        return (entry & present) != 0 || ((entry & transition) != 0 && (entry & prototype) == 0);
    }
    static bool isPage(std::uint64_t entry, unsigned level) {
        return level == 0 || ((level == 1 || level == 2) && (entry & large) != 0);
    }

    [[nodiscard]] Place translate(std::uint64_t address) const {
        Place place;
        if (canonical(address) != address) return place;
        std::uint64_t table = root_;
        for (unsigned level = topLevel;; --level) {
            const unsigned shift = pageShift + indexBits * level;
            const std::uint64_t index = address >> shift & ((1U << indexBits) - 1);
            const auto entry = physical_->readInteger<std::uint64_t>(table + index * 8);
            if (!entry) {
                place.absence = Absence::not_captured;
                return place;
            }
            if (level == 0 ? !usable(*entry) : (*entry & present) == 0) {
                if (*entry != 0) place.absence = Absence::not_present;
                return place;
            }
            if (isPage(*entry, level)) {
                const std::uint64_t inside = (std::uint64_t{1} << shift) - 1;
                place.physical = (*entry & frameMask & ~inside) | (address & inside);
                place.left = inside + 1 - (address & inside);
                place.absence = Absence::none;
                return place;
            }
            table = *entry & frameMask;
        }
    }

    void enumerate(std::uint64_t table, unsigned level, std::uint64_t base,
                   Enumeration& out) const {
        if (out.tables++ >= mostTables) return;
        std::array<std::byte, pageSizeBytes> raw{};
        const std::size_t got = physical_->read(table, raw).bytes;
        const unsigned shift = pageShift + indexBits * level;
        for (std::size_t i = 0; i * 8 + 8 <= got; ++i) {
            const std::uint64_t at = base | std::uint64_t{i} << shift;
            const Range covered =
                Range::ofSize(level == topLevel ? canonical(at) : at, std::uint64_t{1} << shift);
            if (!covered.overlaps(out.within)) continue;
            const auto entry = loadInteger<std::uint64_t>(raw.data() + i * 8);
            if (level == 0 ? !usable(entry) : (entry & present) == 0) continue;
            if (!isPage(entry, level)) {
                enumerate(entry & frameMask, level - 1, covered.begin(), out);
                continue;
            }
            add(covered.intersect(out.within), entry & frameMask, out);
        }
    }

    void add(Range range, std::uint64_t frame, Enumeration& out) const {
        std::array<std::byte, 1> probe;
        const bool there = physical_->read(frame, probe).bytes == 1;
        const Absence absence = there ? Absence::none : Absence::not_captured;
        auto& extents = out.extents;
        if (!extents.empty() && extents.back().absence == absence &&
            extents.back().range.end() == range.begin())
            extents.back().range = Range::between(extents.back().range.begin(), range.end());
        else
            extents.push_back({range, absence, false});
    }

    static constexpr std::size_t pageSizeBytes = 4096;
    std::shared_ptr<const AddressSpace> physical_;
    std::uint64_t root_;
};

}  // namespace

std::shared_ptr<const AddressSpace> translateX64(std::shared_ptr<const AddressSpace> physical,
                                                 std::uint64_t root) {
    return std::make_shared<TranslatedSpace>(std::move(physical), root);
}

}  // namespace icecore::winkernel
