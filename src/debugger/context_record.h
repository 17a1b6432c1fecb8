// Register records in a process' memory.
#pragma once

#include <cstdint>

#include "arch/registers.h"
#include "base/error.h"
#include "debugger/session.h"

namespace icecore::debugger {

/// The registers of a record at `address`. In dumps of Windows a CONTEXT, of any architecture; in
/// others a `ucontext_t`: what Linux hands to a signal handler as its third
/// argument and leaves on the stack. x86-64 (asm/sigcontext.h, sigcontext_64) and arm64.
Result<Registers> readUserContext(const Session& session, std::uint64_t address);

}  // namespace icecore::debugger
