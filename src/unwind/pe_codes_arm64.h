// ARM64 unwind information of PE images, decoded.
// Source: "ARM64 exception handling" (learn.microsoft.com/cpp/build/arm64-exception-handling): the
// packed form and the .xdata records of .pdata entries, and the unwind codes, with those of the
// system's own frames (MSFT_OP_…).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "unwind/code_map.h"
#include "unwind/pe_tables.h"

namespace icecore {

inline constexpr std::uint32_t arm64InstructionSize = 4;

/// What one unwind code undoes; each stands for one instruction of a prologue.
struct Arm64UnwindCode {
    enum class Kind : std::uint8_t {
        nothing,         ///< nop, or saves that no unwinder needs (vector registers, homed
                         ///< parameters)
        allocate,        ///< sp -= size
        save_one,        ///< reg at [sp + offset]
        save_pair,       ///< reg and the one behind it
        save_with_link,  ///< reg and lr
        save_frame,      ///< fp and lr
        save_next,       ///< the pair behind those of the next code in the list
        set_frame,       ///< fp = sp + size
        sign_link,       ///< lr carries an authentication code from here on
        trap_frame,      ///< a KTRAP_FRAME, as the kernel leaves it of what it interrupted
        machine_frame,   ///< sp and pc as an interrupt left them
        context,         ///< a whole CONTEXT, as exception dispatch leaves it
        unknown,
        end,          ///< of the list
        end_of_part,  ///< of this part of a function; the codes of its other part follow
    };
    Kind kind = Kind::nothing;
    std::uint8_t reg = 0;
    std::uint32_t size = 0;  ///< bytes that sp was lowered by as well; of set_frame see there
    std::uint32_t offset = 0;
    bool inEpilogue = true;  ///< an epilogue has its counterpart
};

/// The codes of one function: those that describe its prologue, from its end to its start.
struct Arm64UnwindList {
    std::uint32_t length = 0;  ///< of the function, bytes
    std::vector<Arm64UnwindCode> codes;
    std::uint32_t prologue = 0;  ///< how many of the first codes the prologue here has
    struct Epilogue {
        std::uint32_t begin = 0;  ///< bytes from the function's start
        std::uint32_t first = 0;  ///< index of its first code
        std::uint32_t instructions = 0;
    };
    std::vector<Epilogue> epilogues;
};

/// The codes of a function; nothing where they cannot be read or are of a version that we do not
/// know.
std::optional<Arm64UnwindList> readArm64Unwind(const PeFunction& function, const CodeMap& code);

}  // namespace icecore
