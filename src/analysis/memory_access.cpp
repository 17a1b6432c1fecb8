#include "analysis/memory_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace icecore {

namespace {

/// Where a call, jump or return leads, from registers and memory.
std::optional<std::uint64_t> branchTarget(const FaultScene& scene) {
    const Instruction& instruction = *scene.instruction;
    if (instruction.targetRegister) return scene.registers.get(*instruction.targetRegister);
    if (instruction.flow != Flow::call && instruction.flow != Flow::jump &&
        instruction.flow != Flow::ret)
        return std::nullopt;
    for (const MemoryOperand& operand : instruction.memory) {
        if (!operand.read) continue;
        if (const auto at = operand.address(scene.registers, scene.nextPc()))
            return scene.crash.readPointer(*at);
    }
    return std::nullopt;
}

std::string sizeText(const MemoryOperand* operand) {
    if (operand == nullptr || operand->size == 0) return "";
    return operand->size == 1 ? "1 byte " : fmt::format("{} bytes ", operand->size);
}

}  // namespace

AccessKind accessKindOf(const MemoryOperand& operand) {
    // Read-modify-write is reported by the processor as a write.
    return operand.write ? AccessKind::write : AccessKind::read;
}

bool isExecutable(const Process& process, std::uint64_t address) {
    const Region* region = process.regionAt(address);
    if (region != nullptr) return region->protection.execute;
    return process.moduleAt(address) != nullptr;
}

MemoryAccess matchOperand(const FaultScene& scene, std::uint64_t address) {
    MemoryAccess access;
    access.address = address;
    if (!scene.instruction) return access;
    for (const MemoryOperand& operand : scene.instruction->memory) {
        const auto start = operand.address(scene.registers, scene.nextPc());
        const std::uint64_t size = std::max<std::uint64_t>(operand.size, 1);
        if (!start || address - *start >= size) continue;
        access.operand = &operand;
        access.kind = accessKindOf(operand);
        return access;
    }
    // A vector of addresses, or a register we do not have: the only operand must be it.
    if (scene.instruction->memory.size() == 1) {
        const MemoryOperand& only = scene.instruction->memory.front();
        if (!only.address(scene.registers, scene.nextPc())) {
            access.operand = &only;
            access.kind = accessKindOf(only);
        }
    }
    return access;
}

MemoryAccess findNonCanonical(const FaultScene& scene) {
    MemoryAccess access;
    access.computed = true;
    if (!scene.instruction) return access;
    for (const MemoryOperand& operand : scene.instruction->memory) {
        const auto address = operand.address(scene.registers, scene.nextPc());
        if (!address || isCanonical(scene.crash.arch(), *address)) continue;
        access.address = address;
        access.kind = accessKindOf(operand);
        access.operand = &operand;
        return access;
    }
    const auto target = branchTarget(scene);
    if (target && !isCanonical(scene.crash.arch(), *target)) {
        access.address = target;
        access.kind = AccessKind::execute;
    }
    return access;
}

MemoryAccess findImpossible(const FaultScene& scene) {
    MemoryAccess access;
    access.computed = true;
    const Process& process = scene.crash.process;
    const std::uint64_t pc = scene.registers.pc();
    if (!isExecutable(process, pc)) {
        access.address = pc;
        access.kind = AccessKind::execute;
        return access;
    }
    if (!scene.instruction) return access;
    for (const MemoryOperand& operand : scene.instruction->memory) {
        const auto address = operand.address(scene.registers, scene.nextPc());
        if (!address) continue;
        const Region* region = process.regionAt(*address);
        const bool forbidden = region != nullptr && ((operand.write && !region->protection.write) ||
                                                     (operand.read && !region->protection.read));
        if (!forbidden && isMapped(process, *address) != false) continue;
        access.address = address;
        access.kind = accessKindOf(operand);
        access.operand = &operand;
        return access;
    }
    return access;
}

std::string attemptText(const MemoryAccess& access) {
    const std::string at =
        access.address ? hex(*access.address) : std::string("an unknown address");
    switch (access.kind) {
    case AccessKind::read:
        return fmt::format("tried to read {}at {}", sizeText(access.operand), at);
    case AccessKind::write:
        return fmt::format("tried to write {}to {}", sizeText(access.operand), at);
    case AccessKind::execute: return fmt::format("tried to execute {}", at);
    case AccessKind::unknown: return fmt::format("touched {}", at);
    }
    return {};
}

std::string kindSuffix(AccessKind kind) {
    switch (kind) {
    case AccessKind::read: return "_READ";
    case AccessKind::write: return "_WRITE";
    case AccessKind::execute: return "_EXECUTE";
    case AccessKind::unknown: return "";
    }
    return "";
}

std::vector<std::string> evidenceOf(const FaultScene& scene, const MemoryAccess& access) {
    std::vector<std::string> evidence;
    if (scene.instruction) evidence.push_back("instruction " + instructionText(*scene.instruction));
    if (access.operand != nullptr) {
        const std::string registers = registersText(scene.registers, *access.operand);
        evidence.push_back(fmt::format("operand {}{}{}", access.operand->text,
                                       registers.empty() ? "" : " with ", registers));
    }
    if (access.address) {
        evidence.push_back(fmt::format(
            "{} address {}: {}", access.computed ? "computed" : "reported", hex(*access.address),
            describeAddress(scene.crash.process, *access.address)));
    }
    return evidence;
}

}  // namespace icecore
