// Instructions as WinDbg prints them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "arch/disassembler.h"
#include "debugger/session.h"

namespace icecore::debugger {

struct CodeLine {
    std::uint64_t address = 0;
    std::uint64_t next = 0;  ///< address of the following instruction
    /// "00007ff6`12341010 4883ec28        sub     rsp,28h", with line end. What is not in the dump
    /// is "??  ???"; bytes that are no instruction are "db".
    std::string text;
    std::optional<Instruction> instruction;
    bool readable = true;
};

/// Decodes code of a session's memory. Keep one for a run of instructions.
class CodeReader {
public:
    explicit CodeReader(Session& session);
    [[nodiscard]] CodeLine line(std::uint64_t address) const;
    /// The instruction alone, without making text.
    [[nodiscard]] std::optional<Instruction> decode(std::uint64_t address) const;

private:
    Session& session_;
    std::unique_ptr<Disassembler> disassembler_;  // null for an architecture it does not know
};

/// "main.c @ 14" of an address, by line tables; empty when not known.
struct CodePlace {
    std::string symbol;  ///< "crash!main+0x10"
    std::string file;
    std::uint32_t line = 0;
    /// "crash!main+0x10 [main.c @ 14]:"
    [[nodiscard]] std::string heading() const;
};
CodePlace placeOf(Session& session, std::uint64_t address);

/// " ds:00000000`00000010=????????" for each memory operand whose address the registers tell.
std::string accessText(const Session& session, const Instruction& instruction,
                       const Registers& registers);

/// Operands in MASM's spelling: no blanks, "28h" for "0x28". x86 only; others stay as they are.
std::string masmOperands(std::string_view operands);

}  // namespace icecore::debugger
