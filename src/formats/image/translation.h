// Where a machine's own view of its memory begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/snapshot.h"

namespace icecore::image {

/// Hint that a CPU's control registers leave: how many levels its page tables have.
inline constexpr std::string_view levelsHint = "page table levels";

struct Translation {
    std::uint64_t root = 0;    ///< physical address of the topmost table
    unsigned levels = 0;       ///< 2 to 5; 0: not known
    std::string_view foundIn;  ///< as words
};

/// Of an x86-64 machine: the first CPU whose CR3 is known, which may be in any process; else the
/// kernel's own table, as VMCOREINFO tells it (SYMBOL(init_top_pgt) less __START_KERNEL_map, plus
/// phys_base; Linux' arch/x86/kernel/machine_kexec_64.c). Nothing is read: whether a table is there
/// is not checked.
std::optional<Translation> translationOf(const Machine& machine);

}  // namespace icecore::image
