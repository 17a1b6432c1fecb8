// DWARF expressions: of call frame information, and of the places of variables.
// Operations: DWARF 5, section 2.5.1; what CFI excludes: section 6.4.2.
#pragma once

#include <cstdint>
#include <functional>

#include "arch/registers.h"
#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// What an expression may ask for.
struct ExpressionInput {
    const Registers& registers;
    /// An unsigned integer of 1, 2, 4 or 8 bytes, or nothing where memory is missing.
    std::function<std::optional<std::uint64_t>(std::uint64_t address, std::size_t size)> load;
    /// Runtime minus link-time address of the module: for DW_OP_addr.
    std::uint64_t bias = 0;
    std::uint8_t addressSize = 8;
    // What only variables may use; absent in call frame information, where it is refused.
    /// The function's frame base: DW_OP_fbreg.
    std::function<Result<std::uint64_t>()> frameBase = {};
    /// The stack pointer of the caller after the call: DW_OP_call_frame_cfa.
    std::optional<std::uint64_t> cfa = std::nullopt;
    /// The entry of that number in the unit's .debug_addr, a link-time address.
    std::function<std::optional<std::uint64_t>(std::uint64_t index)> indexed = {};
    /// What the expression in a DW_OP_entry_value was when the function was entered.
    std::function<Result<std::uint64_t>(ByteView expression)> entryValue = {};
};

/// The value left on top of the stack, which starts with `initial` if there is one (the CFA, for
/// register rules). At most 1 000 operations and 64 stack entries. Errors: `unreadable` with the
/// address for missing memory, `not_found` for an unknown register, `limit`, `malformed`.
Result<std::uint64_t> evaluateExpression(ByteView expression, const ExpressionInput& input,
                                         std::optional<std::uint64_t> initial);

}  // namespace icecore
