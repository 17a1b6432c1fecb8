// Sources: Intel SDM, volume 3, chapter 4 (32-bit, PAE, 4- and 5-level paging, PSE-36); Arm
// Architecture Reference Manual for A-profile, D8.3 (VMSAv8-64 translation table descriptors).
// Windows' software entries: Windows Internals, part 1, "Address translation".
#include "memory/page_tables.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/range.h"
#include "base/text.h"

namespace icecore {

namespace {

struct Level {
    unsigned shift;  ///< of the address, to this level's index
    unsigned bits;   ///< of the index
    bool mayMap;     ///< an entry may map a page itself
};

/// An entry is of a kind when `(entry & mask) == value`.
struct Kind {
    std::uint64_t mask, value;
    [[nodiscard]] constexpr bool holds(std::uint64_t entry) const {
        return (entry & mask) == value;
    }
};

struct Scheme {
    Paging paging;
    std::string_view name;
    unsigned entrySize;             ///< bytes
    unsigned addressBits;           ///< translated; those above repeat the topmost (32: none above)
    std::span<const Level> levels;  /// from the root on
    Kind present, page, lastPresent;  ///< page: in a level that may map; lastPresent: of the last
    std::uint64_t frameMask, rootMask;
    bool pse36 = false;  ///< a large page's bits 13 to 20 are bits 32 to 39 of its address
};

constexpr auto x86Levels = std::to_array<Level>({{22, 10, true}, {12, 10, true}});
constexpr auto paeLevels = std::to_array<Level>({{30, 2, false}, {21, 9, true}, {12, 9, true}});
constexpr auto x64Levels = std::to_array<Level>(
    {{48, 9, false}, {39, 9, false}, {30, 9, true}, {21, 9, true}, {12, 9, true}});
constexpr auto arm64Levels =
    std::to_array<Level>({{39, 9, false}, {30, 9, true}, {21, 9, true}, {12, 9, true}});
constexpr auto arm64Levels16k =
    std::to_array<Level>({{47, 1, false}, {36, 11, false}, {25, 11, true}, {14, 11, true}});
constexpr auto arm64Levels64k =
    std::to_array<Level>({{42, 6, false}, {29, 13, true}, {16, 13, true}});

constexpr Kind intelPresent{1, 1}, intelPage{0x80, 0x80};
constexpr Kind armPresent{1, 1}, armBlock{3, 1}, armPage{3, 3};
constexpr std::uint64_t intelFrames = 0x000f'ffff'ffff'f000;

// THE table of translations.
constexpr auto schemes = std::to_array<Scheme>({
    {Paging::x86, "x86", 4, 32, x86Levels, intelPresent, intelPage, intelPresent, 0xffff'f000,
     0xffff'f000, true},
    {Paging::x86_pae, "x86 with PAE", 8, 32, paeLevels, intelPresent, intelPage, intelPresent,
     intelFrames, 0xffff'ffe0},
    {Paging::x64, "x64, 4 levels", 8, 48, std::span(x64Levels).subspan(1), intelPresent, intelPage,
     intelPresent, intelFrames, intelFrames},
    {Paging::x64_57, "x64, 5 levels", 8, 57, x64Levels, intelPresent, intelPage, intelPresent,
     intelFrames, intelFrames},
    {Paging::arm64, "ARM64, 4 KiB", 8, 48, arm64Levels, armPresent, armBlock, armPage,
     0x0000'ffff'ffff'f000, 0x0000'ffff'ffff'f000},
    {Paging::arm64_16k, "ARM64, 16 KiB", 8, 48, arm64Levels16k, armPresent, armBlock, armPage,
     0x0000'ffff'ffff'c000, 0x0000'ffff'ffff'ffc0},
    {Paging::arm64_64k, "ARM64, 64 KiB", 8, 48, arm64Levels64k, armPresent, armBlock, armPage,
     0x0000'ffff'ffff'0000, 0x0000'ffff'ffff'ffc0},
});

const Scheme& schemeOf(Paging paging) {
    return *std::ranges::find(schemes, paging, &Scheme::paging);
}

constexpr std::uint64_t lowBits(unsigned count) {
    return count >= 64 ? UINT64_MAX : (std::uint64_t{1} << count) - 1;
}

class Walker {
public:
    Walker(const AddressSpace& physical, const PageTables& tables)
        : physical_(physical), tables_(tables), scheme_(schemeOf(tables.paging)) {}

    [[nodiscard]] Translation translate(std::uint64_t address) const {
        Translation out;
        const auto root = rootOf(address);
        if (!root) return out;
        std::uint64_t table = *root;
        for (std::size_t i = 0; i < scheme_.levels.size(); ++i) {
            const Level& level = scheme_.levels[i];
            const std::uint64_t index = address >> level.shift & lowBits(level.bits);
            const auto entry = entryAt(table, index);
            if (!entry) {
                out.absence = Absence::not_captured;
                return out;
            }
            switch (kindOf(*entry, i)) {
            case Entry::empty: return out;
            case Entry::absent: out.absence = Absence::not_present; return out;
            case Entry::page: {
                const std::uint64_t inside = lowBits(level.shift);
                out.physical = frameOf(*entry, level) | (address & inside);
                out.left = inside + 1 - (address & inside);
                out.absence = Absence::none;
                return out;
            }
            case Entry::table: table = *entry & scheme_.frameMask; break;
            }
        }
        return out;
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const {
        Enumeration found{within, {}, 0};
        // Real memory is mapped a few times over: as itself, as the kernel sees all of it, and the
        // tables once more as tables.
        constexpr std::uint64_t pageBytes = 4096, timesMapped = 8, atLeast = 1 << 16;
        for (const Extent& extent : physical_.extents(Range::all()))
            found.budget += extent.range.size() / pageBytes * timesMapped;
        found.budget = std::max(found.budget, atLeast);
        if (tables_.upperRoot) {
            enumerate(tables_.root & scheme_.rootMask, 0, 0, found);
            enumerate(*tables_.upperRoot & scheme_.rootMask, 0, ~lowBits(scheme_.addressBits),
                      found);
        } else {
            enumerate(tables_.root & scheme_.rootMask, 0, 0, found);
        }
        return std::move(found.extents);
    }

private:
    enum class Entry : std::uint8_t { empty, absent, page, table };
    struct Enumeration {
        Range within;
        std::vector<Extent> extents;
        std::uint64_t budget;  ///< entries that may still be looked at
    };

    [[nodiscard]] bool isLast(std::size_t level) const {
        return level + 1 == scheme_.levels.size();
    }

    /// The root that translates `address`, or nothing when the processor would refuse it.
    [[nodiscard]] std::optional<std::uint64_t> rootOf(std::uint64_t address) const {
        const std::uint64_t above = address & ~lowBits(scheme_.addressBits);
        const std::uint64_t allOnes = ~lowBits(scheme_.addressBits);
        const std::uint64_t root = tables_.root & scheme_.rootMask;
        if (tables_.upperRoot) {
            if (above == 0) return root;
            if (above == allOnes) return *tables_.upperRoot & scheme_.rootMask;
            return std::nullopt;
        }
        return extended(address & lowBits(scheme_.addressBits)) == address ? std::optional(root)
                                                                           : std::nullopt;
    }

    /// Of a translated address, the whole one.
    [[nodiscard]] std::uint64_t extended(std::uint64_t address) const {
        constexpr unsigned flat = 32;
        const unsigned bits = scheme_.addressBits;
        const bool upper = bits != flat && (address >> (bits - 1) & 1U) != 0;
        return upper ? address | ~lowBits(bits) : address;
    }

    [[nodiscard]] std::optional<std::uint64_t> entryAt(std::uint64_t table,
                                                       std::uint64_t index) const {
        return physical_.readPointer(table + index * scheme_.entrySize, scheme_.entrySize);
    }

    [[nodiscard]] Entry kindOf(std::uint64_t entry, std::size_t level) const {
        if (isLast(level)) {
            if (scheme_.lastPresent.holds(entry) || inTransition(entry)) return Entry::page;
        } else if (scheme_.present.holds(entry)) {
            const bool page = scheme_.levels[level].mayMap && scheme_.page.holds(entry);
            return page ? Entry::page : Entry::table;
        }
        return entry == 0 ? Entry::empty : Entry::absent;
    }

    /// Neither valid (bit 0) nor a prototype (bit 10), and in transition (bit 11); the same bits
    /// on all processors.
    [[nodiscard]] bool inTransition(std::uint64_t entry) const {
        constexpr Kind transition{0xc01, 0x800};
        return tables_.windowsTransition && transition.holds(entry);
    }

    [[nodiscard]] std::uint64_t frameOf(std::uint64_t entry, const Level& level) const {
        std::uint64_t frame = entry & scheme_.frameMask & ~lowBits(level.shift);
        constexpr unsigned smallPage = 12;
        if (scheme_.pse36 && level.shift != smallPage) frame |= (entry >> 13U & 0xffU) << 32U;
        return frame;
    }

    void enumerate(std::uint64_t table, std::size_t depth, std::uint64_t base,
                   Enumeration& out) const {
        const Level& level = scheme_.levels[depth];
        const std::size_t size = std::size_t{scheme_.entrySize} << level.bits;
        if (out.budget < size / scheme_.entrySize) {
            out.budget = 0;
            return;
        }
        out.budget -= size / scheme_.entrySize;
        const std::vector<std::byte> raw = physical_.readUpTo(table, size);
        for (std::size_t i = 0; (i + 1) * scheme_.entrySize <= raw.size(); ++i) {
            const std::uint64_t entry =
                scheme_.entrySize == 4
                    ? loadInteger<std::uint32_t>(raw.data() + i * sizeof(std::uint32_t))
                    : loadInteger<std::uint64_t>(raw.data() + i * sizeof(std::uint64_t));
            std::uint64_t at = base | std::uint64_t{i} << level.shift;
            if (depth == 0 && !tables_.upperRoot) at = extended(at);
            const Range covered = Range::ofSize(at, std::uint64_t{1} << level.shift);
            if (!covered.overlaps(out.within)) continue;
            switch (kindOf(entry, depth)) {
            case Entry::empty:
            case Entry::absent: break;
            case Entry::page: add(covered.intersect(out.within), frameOf(entry, level), out); break;
            case Entry::table: enumerate(entry & scheme_.frameMask, depth + 1, at, out); break;
            }
        }
    }

    void add(Range range, std::uint64_t frame, Enumeration& out) const {
        std::array<std::byte, 1> probe;
        const bool there = physical_.read(frame, probe).bytes == 1;
        const Absence absence = there ? Absence::none : Absence::not_captured;
        auto& extents = out.extents;
        if (!extents.empty() && extents.back().absence == absence &&
            extents.back().range.end() == range.begin())
            extents.back().range = Range::between(extents.back().range.begin(), range.end());
        else
            extents.push_back({range, absence, false});
    }

    const AddressSpace& physical_;
    const PageTables& tables_;
    const Scheme& scheme_;
};

class TranslatedSpace final : public AddressSpace {
public:
    TranslatedSpace(std::shared_ptr<const AddressSpace> physical, const PageTables& tables)
        : physical_(std::move(physical)), tables_(tables) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const auto at = checkedAdd(address, done);
            if (!at) return {done, Absence::not_mapped};
            const Translation place = translate(*physical_, tables_, *at);
            if (place.absence != Absence::none) return {done, place.absence};
            const auto piece =
                static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, place.left));
            const ReadOutcome got = physical_->read(place.physical, out.subspan(done, piece));
            done += got.bytes;
            // Mapped, and the physical page is not in the dump: nobody chose it.
            if (got.bytes != piece)
                return {done,
                        got.stopped == Absence::not_mapped ? Absence::not_captured : got.stopped};
        }
        return {done, Absence::none};
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return Walker(*physical_, tables_).extents(within);
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const Translation place = translate(*physical_, tables_, address);
        if (place.absence != Absence::none)
            return hex(address) + " is " + std::string(toString(place.absence));
        return hex(address) + " is physical " + hex(place.physical) + ", " +
               physical_->explain(place.physical);
    }

private:
    std::shared_ptr<const AddressSpace> physical_;
    PageTables tables_;
};

}  // namespace

std::string_view toString(Paging paging) {
    return schemeOf(paging).name;
}

Translation translate(const AddressSpace& physical, const PageTables& tables,
                      std::uint64_t address) {
    return Walker(physical, tables).translate(address);
}

std::shared_ptr<const AddressSpace> translatedSpace(std::shared_ptr<const AddressSpace> physical,
                                                    const PageTables& tables) {
    return std::make_shared<TranslatedSpace>(std::move(physical), tables);
}

}  // namespace icecore
