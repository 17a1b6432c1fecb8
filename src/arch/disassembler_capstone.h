// What the files of the disassembler share: Capstone's view of one instruction turned into ours.
#pragma once

#include <capstone/capstone.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/disassembler.h"

namespace icecore::disassembly {

/// Fills flow, target and memory operands of `out` from Capstone's details. Text is there already.
void describeX86(csh handle, const cs_insn& from, Arch arch, Instruction& out);
void describeArm64(csh handle, const cs_insn& from, Instruction& out);
void describeArm(csh handle, const cs_insn& from, Instruction& out);

/// Instructions newer than the Capstone that Debian 12 and Ubuntu 24.04 ship, and common enough in
/// crashes to be decoded by ourselves. Nothing when it is none of them.
std::optional<Instruction> decodeNewerX86(std::span<const std::byte> code, std::uint64_t address);
std::optional<Instruction> decodeNewerArm64(std::uint32_t word, std::uint64_t address);

/// The operands of a Capstone operand string, cut at commas outside of brackets and braces.
std::vector<std::string_view> splitOperands(std::string_view operands);

bool inGroup(const cs_insn& instruction, unsigned group);

}  // namespace icecore::disassembly
