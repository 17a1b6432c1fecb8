// The CONTEXT structures of minidumps: Microsoft's, and Breakpad's own for ARM on Linux.
#pragma once

#include <vector>

#include "arch/context.h"
#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// Registers out of a CONTEXT. Its flags say which groups are there; the others stay unknown.
/// The architecture is found from the flags, with `expected` (of the system) deciding where the
/// first word could be read two ways. AMD64: floatingPoint is the FXSAVE area, and extended the
/// XSAVE area, where a CONTEXT_EX with one in standard format follows. ARM64: floatingPoint is in
/// the form of Linux' user_fpsimd_state. `truncated` when shorter than its kind, `malformed` when
/// its flags name no architecture.
Result<Context> readWindowsContext(ByteView bytes, Arch expected);

/// The CONTEXT of these registers; empty for an unknown architecture. AMD64 with extended state
/// gets a CONTEXT_EX behind it. ARM and ARM64 come in Breakpad's layout, as LLDB reads no other
/// in Linux minidumps. Not representable: fs_base, gs_base, orig_rax, tpidr.
std::vector<std::byte> writeWindowsContext(const Context& context);

}  // namespace icecore
