// Location lists: which expression tells a variable's place while the code at an address runs.
#pragma once

#include <cstdint>
#include <optional>

#include "symbols/dwarf/unit.h"

namespace icecore::dwarf {

/// The expression of a DW_AT_location (or frame base) at a link-time address: its own, or that of
/// the entry of its list that contains the address. Nothing where the list has no such entry: the
/// variable is nowhere. Lists end at the section's end, whatever they say.
/// Sources: DWARF 5, 2.6.2 and 7.7.3 (.debug_loclists); DWARF 4, 2.6.2 (.debug_loc); GCC's wiki
/// page DebugFission for lists of split units before version 5.
std::optional<ByteView> locationAt(const Unit& unit, const Value& location, std::uint64_t address);

}  // namespace icecore::dwarf
