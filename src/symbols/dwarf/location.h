// Location descriptions: where a variable is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "symbols/dwarf/unit.h"
#include "symbols/type_source.h"

namespace icecore::dwarf {

/// What a description may refer to.
struct LocationInput {
    const Unit& unit;
    Arch arch = Arch::unknown;
    /// The function's DW_AT_frame_base at the address in question.
    std::optional<ByteView> frameBase;
    /// Null: what would have to be computed has no place.
    const VariableFrame* frame = nullptr;
    /// A register as it was when the function was entered.
    std::function<std::optional<std::uint64_t>(std::uint64_t dwarfRegister)> entryValue = {};
};

/// The pieces of a variable; those that the compiler kept nowhere are left out, and all of them
/// where the description is damaged or needs what is not known.
/// Source: DWARF 5, 2.6.1; operands of the operations: 7.7.1, the GNU ones from GCC's dwarf2.def.
std::vector<VariablePiece> placesOf(ByteView description, const LocationInput& input);

/// The value of an expression that describes one, DW_AT_call_value, in `input`'s frame.
std::optional<std::uint64_t> valueOf(ByteView expression, const LocationInput& input);

/// The register that a description names as the place: DW_OP_reg0 … DW_OP_regx.
std::optional<std::uint64_t> registerOf(ByteView description);

}  // namespace icecore::dwarf
