// The general registers of NT_PRSTATUS in the order each architecture stores them.
#pragma once

#include <cstdint>
#include <span>

#include "arch/registers.h"
#include "bytes/cursor.h"

namespace icecore::elfcore {

/// The slot holds nothing that the model names.
inline constexpr RegisterId noRegister = 0xff;

/// Which register stands in which slot of pr_reg; a slot is as big as a pointer. Empty for an
/// architecture we do not know.
std::span<const RegisterId> registerSlots(Arch arch);

/// Bytes of pr_reg.
std::size_t registerBytes(Arch arch);

/// Reads pr_reg.
Registers readRegisters(Cursor& cursor, Arch arch);
/// Appends pr_reg; unknown registers are zero.
void appendRegisters(std::vector<std::byte>& out, const Registers& registers);

}  // namespace icecore::elfcore
