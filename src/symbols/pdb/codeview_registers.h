// The numbers by which CodeView's symbol records name registers.
#pragma once

#include <cstdint>
#include <optional>

#include "arch/registers.h"

namespace icecore::pdb {

/// A register or a part of one.
struct CodeViewRegister {
    bool vector = false;  ///< `id` counts vector registers: xmm0, v0
    RegisterId id = 0;
    std::uint8_t bytes = 0;
    std::uint8_t shift = 0;  ///< bits to the right of the part (ah: 8)
};

/// By the number (cvconst.h, CV_HREG_e) on a machine (IMAGE_FILE_MACHINE_…); nothing for numbers
/// and machines that are not known.
std::optional<CodeViewRegister> codeViewRegister(std::uint16_t machine, std::uint16_t number);

/// CV_ALLREG_VFRAME: no register, but the address that x86 frames without a frame pointer count
/// from.
inline constexpr std::uint16_t virtualFrameRegister = 30006;

}  // namespace icecore::pdb
