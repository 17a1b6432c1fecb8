// Runs the instructions of a CIE and an FDE: the table of rows they stand for.
// Instructions: DWARF 5, section 6.4.2 and 7.24; vendor ones as said in the source.
#pragma once

#include <functional>

#include "base/range.h"
#include "unwind/unwind_row.h"

namespace icecore {

/// The row in force at `address` (link-time), which the FDE must cover. Each instruction is run at
/// most once and remembered states are bounded, so the time is linear in the FDE's size.
/// `functionBegin` of the row is the FDE's link-time begin.
Result<UnwindRow> rowAt(const CfiSection& section, const Fde& fde, std::uint64_t address);

/// Every row with the range it holds for, in the order of the instructions, empty ranges left out;
/// `visit` returns false to stop. Errors end the table; the rows before have been visited.
Result<void> forEachRow(const CfiSection& section, const Fde& fde,
                        const std::function<bool(Range, const UnwindRow&)>& visit);

}  // namespace icecore
