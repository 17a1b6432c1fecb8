// The parts of diagnoseFault, one per kind of fault.
#pragma once

#include "analysis/fault.h"
#include "model/signals.h"

namespace icecore {

/// The faulting thread at its faulting instruction.
struct FaultScene {
    const CrashCase& crash;
    const Exception& exception;
    const Registers& registers;
    const NamedStack& stack;
    std::optional<Instruction> instruction;

    [[nodiscard]] std::uint64_t nextPc() const {
        return registers.pc() + (instruction ? instruction->bytes.size() : 0);
    }
};

/// SIGSEGV and SIGBUS.
void diagnoseMemoryFault(const FaultScene& scene, FaultDiagnosis& out);
/// SIGFPE.
void diagnoseArithmeticFault(const FaultScene& scene, FaultDiagnosis& out);
/// SIGILL and SIGTRAP.
void diagnoseInstructionFault(const FaultScene& scene, FaultDiagnosis& out);

/// Recognises a stack that has run out: the address accessed lies below it, near the stack pointer.
/// Fills `out` and returns true, or leaves it alone.
bool diagnoseStackExhaustion(const FaultScene& scene, std::uint64_t address, FaultDiagnosis& out);

/// The value of a register by the name it has in an operand, parts of registers included ("ecx",
/// "r8w", "ah", "w3"); nothing when it is no register or not known.
std::optional<std::uint64_t> operandRegister(const Registers& registers, std::string_view name);

/// "rax=0x0, rcx=0x10": what the operand's address is made of.
std::string registersText(const Registers& registers, const MemoryOperand& operand);
/// The instruction as one line: "0x401136: mov dword ptr [rax], 1".
std::string instructionText(const Instruction& instruction);

}  // namespace icecore
