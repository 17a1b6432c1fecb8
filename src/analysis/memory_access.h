// Which memory a faulting instruction accessed, and how: from what the kernel reported and from the
// instruction's operands.
#pragma once

#include "analysis/fault_parts.h"

namespace icecore {

/// What was accessed and how; filled step by step.
struct MemoryAccess {
    std::optional<std::uint64_t> address;
    AccessKind kind = AccessKind::unknown;
    const MemoryOperand* operand = nullptr;
    bool computed = false;  ///< the address is ours, from registers; the kernel did not tell it
};

AccessKind accessKindOf(const MemoryOperand& operand);
/// As its region says; where the dump does not list one, code lies in modules.
bool isExecutable(const Process& process, std::uint64_t address);

/// The operand that covers the address the kernel reported.
MemoryAccess matchOperand(const FaultScene& scene, std::uint64_t address);
/// The kernel tells no address with a general protection fault; the operands do.
MemoryAccess findNonCanonical(const FaultScene& scene);
/// Without any address from the kernel: the operand that could not have worked.
MemoryAccess findImpossible(const FaultScene& scene);

/// "tried to read 4 bytes at 0x10".
std::string attemptText(const MemoryAccess& access);
/// For the bucket: "_READ"; empty when not known.
std::string kindSuffix(AccessKind kind);
/// The instruction, the operand with its registers, the address and what lies there.
std::vector<std::string> evidenceOf(const FaultScene& scene, const MemoryAccess& access);

}  // namespace icecore
