// The CONTEXT structures of minidumps: Microsoft's, and Breakpad's own for ARM on Linux.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/context.h"
#include "base/error.h"
#include "bytes/byte_view.h"

namespace icecore {

/// Registers out of a CONTEXT. Its flags say which groups are there; the others stay unknown.
/// The architecture is found from the flags, with `expected` (of the system) deciding where the
/// first word could be read two ways. AMD64: floatingPoint is the FXSAVE area, and extended the
/// XSAVE area in standard format, where a CONTEXT_EX with one follows, compacted or not. ARM64:
/// floatingPoint is in the form of Linux' user_fpsimd_state. `truncated` when shorter than its
/// kind, `malformed` when its flags name no architecture.
Result<Context> readWindowsContext(ByteView bytes, Arch expected);

/// The shadow stack pointer of an AMD64 CONTEXT with CONTEXT_XSTATE (XSTATE_CET_U), or of a
/// kernel's with CONTEXT_KERNEL_CET; nothing where there is none.
std::optional<std::uint64_t> windowsShadowStackPointer(ByteView bytes);

/// The CONTEXT of these registers; empty for an unknown architecture. AMD64 with extended state
/// gets a CONTEXT_EX behind it. ARM and ARM64 come in Breakpad's layout, as LLDB reads no other
/// in Linux minidumps. Not representable: fs_base, gs_base, orig_rax, tpidr.
std::vector<std::byte> writeWindowsContext(const Context& context);

}  // namespace icecore
