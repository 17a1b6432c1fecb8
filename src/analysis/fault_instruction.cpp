// SIGFPE, SIGILL and SIGTRAP: the instruction itself is the fault.
#include <fmt/format.h>

#include <array>

#include "analysis/fault_parts.h"
#include "base/text.h"

namespace icecore {

namespace {

/// The divisor of div, idiv, sdiv, udiv, and its size in bytes.
struct Divisor {
    std::string text;
    std::optional<std::uint64_t> value;
};

std::optional<Divisor> divisorOf(const FaultScene& scene) {
    if (!scene.instruction) return std::nullopt;
    const Instruction& instruction = *scene.instruction;
    if (instruction.mnemonic != "div" && instruction.mnemonic != "idiv") return std::nullopt;
    Divisor divisor{instruction.operands, std::nullopt};
    if (instruction.memory.empty()) {
        divisor.value = operandRegister(scene.registers, instruction.operands);
        return divisor;
    }
    const MemoryOperand& operand = instruction.memory.front();
    const auto address = operand.address(scene.registers, scene.nextPc());
    std::array<std::byte, 8> raw{};
    const std::size_t size = operand.size;
    if (!address || size == 0 || size > raw.size()) return divisor;
    if (scene.crash.memory->read(*address, std::span(raw).first(size)).bytes == size)
        divisor.value = loadInteger<std::uint64_t>(raw.data());
    return divisor;
}

std::string bytesText(const FaultScene& scene) {
    std::array<std::byte, 8> code{};
    const std::size_t got = scene.crash.memory->read(scene.registers.pc(), code).bytes;
    return got == 0 ? std::string("the code there is not in the dump")
                    : fmt::format("bytes at {}: {}", hex(scene.registers.pc()),
                                  hexBytes(std::span(code).first(got)));
}

std::vector<std::string> instructionEvidence(const FaultScene& scene) {
    if (scene.instruction) return {"instruction " + instructionText(*scene.instruction)};
    return {bytesText(scene)};
}

}  // namespace

void diagnoseArithmeticFault(const FaultScene& scene, FaultDiagnosis& out) {
    auto evidence = instructionEvidence(scene);
    const std::int32_t code = scene.exception.signalCode;
    const auto divisor = divisorOf(scene);
    // Dumps without siginfo leave the code at 0: then the instruction tells.
    if (code != signal_codes::fpeIntegerDivide && (code > 0 || !divisor)) {
        const SignalCodeWords words =
            code > 0 ? signalCodeWords(signals::fpe, code) : SignalCodeWords();
        out.kind = words.name.starts_with("FPE_INT") ? "INTEGER_FAULT" : "FLOATING_POINT_FAULT";
        const std::string what = words.text.empty() ? "arithmetic fault" : std::string(words.text);
        out.happening = "caused an " + what;
        if (what.front() != 'i' && what.front() != 'a') out.happening = "caused a " + what;
        out.findings.push_back({fmt::format("The arithmetic unit reported: {}.", what),
                                std::move(evidence), Confidence::certain});
        return;
    }
    if (divisor && divisor->value) {
        out.fault.operand = divisor->text;
        out.fault.registers = fmt::format("{}={}", divisor->text, hex(*divisor->value));
        evidence.push_back(fmt::format("divisor {} is {}", divisor->text, hex(*divisor->value)));
    }
    if (divisor && divisor->value == 0U) {
        out.kind = "DIVIDE_BY_ZERO";
        out.happening = "divided by zero";
        out.findings.push_back(
            {"An integer was divided by zero.", std::move(evidence), Confidence::certain});
    } else if (divisor && divisor->value) {
        out.kind = "DIVIDE_OVERFLOW";
        out.happening = "divided integers whose quotient does not fit";
        out.findings.push_back(
            {"The quotient of an integer division does not fit its register, as "
             "with the smallest integer divided by -1.",
             std::move(evidence), Confidence::high});
    } else {
        out.kind = "INTEGER_DIVISION";
        out.happening = "divided integers by zero, or with too large a quotient";
        out.findings.push_back({"An integer division failed; the divisor is not known.",
                                std::move(evidence), Confidence::high});
    }
}

void diagnoseInstructionFault(const FaultScene& scene, FaultDiagnosis& out) {
    auto evidence = instructionEvidence(scene);
    const std::string mnemonic = scene.instruction ? scene.instruction->mnemonic : std::string();
    if (scene.exception.code == signals::trap) {
        const SignalCodeWords words = signalCodeWords(signals::trap, scene.exception.signalCode);
        // After int3 the program counter stands behind it; on arm64 at the brk itself.
        std::array<std::byte, 1> before{};
        const std::uint64_t pc = scene.registers.pc();
        const bool x86 = scene.crash.arch() == Arch::x86_64 || scene.crash.arch() == Arch::x86;
        const bool behindInt3 = x86 && pc > 0 &&
                                scene.crash.memory->read(pc - 1, before).bytes == 1 &&
                                before[0] == std::byte{0xcc};
        if (behindInt3 || mnemonic == "brk") {
            out.kind = "BREAKPOINT";
            out.happening = "hit a breakpoint instruction";
            out.fault.address = behindInt3 ? pc - 1 : pc;
            out.findings.push_back(
                {"A breakpoint instruction is part of the code (a trap of the "
                 "compiler, an assertion) or was put there by a debugger.",
                 std::move(evidence), Confidence::high});
            return;
        }
        out.kind = "TRAP";
        out.happening = words.text.empty() ? std::string("was trapped")
                                           : fmt::format("was trapped ({})", words.text);
        out.findings.push_back(
            {"The thread was trapped.", std::move(evidence), Confidence::medium});
        return;
    }
    const Region* region = scene.crash.process.regionAt(scene.registers.pc());
    const Module* module = scene.crash.process.moduleAt(scene.registers.pc());
    out.fault.access = AccessKind::execute;
    out.fault.address = scene.registers.pc();
    if (scene.instruction && scene.instruction->flow == Flow::trap) {
        out.kind = "TRAP_INSTRUCTION";
        out.happening = fmt::format("executed {}", mnemonic);
        out.findings.push_back({fmt::format("The compiler put {} where the program must not come: "
                                            "__builtin_trap, an unreachable place, a failed check.",
                                            mnemonic),
                                std::move(evidence), Confidence::high});
        return;
    }
    if (scene.instruction) evidence.push_back(bytesText(scene));
    if (module == nullptr) {
        out.kind = "ILLEGAL_INSTRUCTION";
        out.strayJump = true;
        out.happening =
            fmt::format("executed {}, which is no code of a module", hex(scene.registers.pc()));
        if (region != nullptr)
            evidence.push_back(describeAddress(scene.crash.process, scene.registers.pc()));
        out.findings.push_back(
            {"The thread ran where no module's code is.", std::move(evidence), Confidence::medium});
        return;
    }
    if (scene.instruction) {
        out.kind = "UNSUPPORTED_INSTRUCTION";
        out.happening = fmt::format("executed {}, which this processor refused", mnemonic);
        out.findings.push_back(
            {"The instruction is valid, but the processor it ran on lacks it, or "
             "it is switched off.",
             std::move(evidence), Confidence::medium});
        return;
    }
    std::array<std::byte, 1> first{};
    if (scene.crash.memory->read(scene.registers.pc(), first).bytes == 0) {
        out.kind = "ILLEGAL_INSTRUCTION";
        out.happening =
            fmt::format("executed what this processor refused at {}", hex(scene.registers.pc()));
        out.findings.push_back(
            {"The processor refused the instruction; the code is not in the dump.",
             std::move(evidence), Confidence::medium});
        return;
    }
    out.kind = "ILLEGAL_INSTRUCTION";
    out.happening =
        fmt::format("executed bytes that are no instruction at {}", hex(scene.registers.pc()));
    out.findings.push_back(
        {"The bytes at the program counter are no instruction: a jump into the "
         "middle of one, or damaged code.",
         std::move(evidence), Confidence::high});
}

}  // namespace icecore
