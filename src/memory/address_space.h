// Memory is the only interface between what reads dumps and what understands them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/range.h"
#include "bytes/byte_view.h"
#include "bytes/endian.h"

namespace icecore {

/// Why an address has no bytes. Four different kinds of hole; no layer turns one into another,
/// and none of them is a zero.
enum class Absence {
    none,          ///< it is readable
    not_mapped,    ///< nothing was mapped there, as far as is known
    not_captured,  ///< mapped, and left out by the choice of what to save
    truncated,     ///< it was in the dump, and the file ends before it
    unreadable,    ///< reading it failed when the dump was taken (or now, when live)
    not_present,   ///< the page tables say it is paged out or not backed
};
std::string_view toString(Absence absence);

/// A readable prefix, and why it is not longer.
struct ReadOutcome {
    std::size_t bytes = 0;
    Absence stopped = Absence::none;  ///< none when everything asked for was read
};

/// A maximal run of addresses of the same nature.
struct Extent {
    Range range;
    Absence absence = Absence::none;
    bool zero = false;  ///< known to be all zero without reading (a hole of a sparse file)
    bool operator==(const Extent&) const = default;
};

/// Lazy, read-only memory by address. Const and thread-safe: threads share one.
class AddressSpace {
public:
    virtual ~AddressSpace() = default;
    AddressSpace() = default;
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;

    /// Reads at `address` as much as is readable without a gap.
    [[nodiscard]] virtual ReadOutcome read(std::uint64_t address,
                                           std::span<std::byte> out) const = 0;
    /// Everything known inside `within`, ascending, holes that are known as such included;
    /// addresses in no extent are `not_mapped`.
    [[nodiscard]] virtual std::vector<Extent> extents(Range within) const = 0;
    /// Where the byte at `address` comes from or why there is none, in words for a person.
    [[nodiscard]] virtual std::string explain(std::uint64_t address) const = 0;
    /// The bytes from `address` on as far as they lie mapped in one piece; empty when they are
    /// not mapped (then use read). Valid as long as this space.
    [[nodiscard]] virtual std::span<const std::byte> window(std::uint64_t /*address*/) const {
        return {};
    }

    /// All of `out`, or `unreadable` naming the first missing address and why.
    [[nodiscard]] Result<void> readExactly(std::uint64_t address, std::span<std::byte> out) const;
    /// A little-endian integer, or nothing.
    template <std::integral T>
    [[nodiscard]] std::optional<T> readInteger(std::uint64_t address) const {
        std::byte raw[sizeof(T)];
        if (read(address, raw).bytes != sizeof(T)) return std::nullopt;
        return loadInteger<T>(raw);
    }
    /// A pointer of `size` 4 or 8 bytes, zero-extended.
    [[nodiscard]] std::optional<std::uint64_t> readPointer(std::uint64_t address,
                                                           std::size_t size = 8) const;
    /// Text up to a NUL, at most `limit` bytes; nothing when no NUL is found within.
    [[nodiscard]] std::optional<std::string> readCString(std::uint64_t address,
                                                         std::size_t limit = 4096) const;
    /// Up to `size` bytes (fewer where they end); reads in pieces, so that a lying size costs
    /// no more memory than is readable.
    [[nodiscard]] std::vector<std::byte> readUpTo(std::uint64_t address, std::uint64_t size) const;
};

/// Nothing at all.
std::shared_ptr<const AddressSpace> emptySpace();

/// `front` where it has bytes, else `back`: e.g. a module's file under a dump without its code.
std::shared_ptr<const AddressSpace> overlay(std::shared_ptr<const AddressSpace> front,
                                            std::shared_ptr<const AddressSpace> back);

}  // namespace icecore
