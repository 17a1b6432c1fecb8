// Virtual memory out of physical memory: the tables that processors translate addresses with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "memory/address_space.h"

namespace icecore {

/// How a processor translates. Each is one row of a table; the walk is the same for all.
enum class Paging : std::uint8_t {
    x86,        ///< 32 bits, two levels, pages of 4 KiB and 4 MiB (PSE-36 included)
    x86_pae,    ///< 32 bits, three levels, pages of 4 KiB and 2 MiB
    x64,        ///< 48 bits, four levels, pages of 4 KiB, 2 MiB and 1 GiB
    x64_57,     ///< 57 bits, five levels
    arm64,      ///< 48 bits, granule of 4 KiB
    arm64_16k,  ///< 48 bits, granule of 16 KiB
    arm64_64k,  ///< 48 bits, granule of 64 KiB
};
/// "x64, 4 levels".
std::string_view toString(Paging paging);

struct PageTables {
    Paging paging = Paging::x64;
    std::uint64_t root = 0;  ///< physical: CR3, TTBR0; bits that are no address are ignored
    /// Physical root of the upper half (TTBR1), where that has its own. Without it there is one
    /// table for both halves, and an address is valid when its upper bits repeat the topmost one
    /// that is translated.
    std::optional<std::uint64_t> upperRoot;
    /// Windows: a page in transition, which has been taken from its process and not yet been given
    /// to another, counts as present: its content is whole.
    bool windowsTransition = false;
};

/// Where a virtual address lies.
struct Translation {
    Absence absence = Absence::not_mapped;  ///< none when it is translated
    std::uint64_t physical = 0;
    std::uint64_t left = 0;  ///< bytes to the end of its page
};

/// Walks the tables once. `not_captured` when a table itself is not in `physical`; `not_present`
/// when the entry holds something that the processor would not use (paged out, demand zero).
Translation translate(const AddressSpace& physical, const PageTables& tables,
                      std::uint64_t address);

/// The memory that the tables map. Its extents are the pages that can be read and those whose
/// content is not in `physical`. They are enumerated up to a multiple of the physical memory's
/// size, so that tables which lead to each other cost no more than real ones.
std::shared_ptr<const AddressSpace> translatedSpace(std::shared_ptr<const AddressSpace> physical,
                                                    const PageTables& tables);

}  // namespace icecore
