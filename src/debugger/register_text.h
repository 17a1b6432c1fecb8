// Registers as `r` prints them.
#pragma once

#include <string>

#include "debugger/session.h"

namespace icecore::debugger {

/// All registers in WinDbg's arrangement; those that are not known as '?'.
std::string registersText(const Session& session, const Registers& registers);
/// A register's value in as many digits as it is wide, or '?'s.
std::string registerValueText(const Registers& registers, RegisterId id);
/// "nv up ei pl zr na pe nc": the flags of eflags, as x86 debuggers have spelt them since
/// DEBUG.COM.
std::string flagsText(std::uint64_t eflags);
/// The line of code at the registers' program counter: symbol, then the instruction.
std::string instructionAt(Session& session, const Registers& registers);

}  // namespace icecore::debugger
