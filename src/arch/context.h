// Everything a CPU holds of one thread.
#pragma once

#include "arch/registers.h"
#include "bytes/byte_view.h"

namespace icecore {

/// Registers plus the raw floating-point and vector state in the CPU's own layout.
struct Context {
    Registers registers;
    SharedBytes floatingPoint;  ///< x86: FXSAVE area (512 bytes); arm64: user_fpsimd_state (528)
    SharedBytes extended;       ///< x86: whole XSAVE area in standard format; may be empty
    bool operator==(const Context&) const = default;
};

}  // namespace icecore
