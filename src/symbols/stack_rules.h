// What symbol files say about the stacks of functions: how their callers are found.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace icecore {

/// A function of 32-bit x86, or a part of one: FPO_DATA and FrameData of a PDB, "STACK WIN" of
/// Breakpad. Sizes in bytes; addresses are the module's own.
struct FrameLayout {
    std::uint64_t begin = 0, size = 0;
    std::uint32_t locals = 0, parameters = 0;
    std::uint32_t prologue = 0, epilogue = 0, savedRegisters = 0;
    bool usesBasePointer = false;  ///< old FPO: the function uses EBP for something else
    std::uint8_t frameType = 0;    ///< old FPO: 0 FPO, 1 trap, 2 TSS, 3 none
    std::string program;           ///< new: "$T0 .raSearch = $eip $T0 ^ = …"; empty of old FPO
    bool hasSeh = false, functionStart = false;
};

/// How a caller's registers are found, of Breakpad's "STACK CFI": the rules that hold at an
/// address, later ones replacing earlier ones of the same register. Postfix expressions as in the
/// file.
struct RegisterPrograms {
    std::uint64_t begin = 0, size = 0;
    /// Register (".cfa", ".ra", "$rbx") and expression.
    std::vector<std::pair<std::string, std::string>> rules;
};

}  // namespace icecore
