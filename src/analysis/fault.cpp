#include "analysis/fault.h"

#include <fmt/format.h>

#include <array>

#include "analysis/fault_parts.h"
#include "base/text.h"

namespace icecore {

std::string_view toString(AccessKind kind) {
    switch (kind) {
    case AccessKind::unknown: return "unknown";
    case AccessKind::read: return "read";
    case AccessKind::write: return "write";
    case AccessKind::execute: return "execute";
    }
    return "unknown";
}

std::string instructionText(const Instruction& instruction) {
    return fmt::format("{}: {}{}{}", hex(instruction.address), instruction.mnemonic,
                       instruction.operands.empty() ? "" : " ", instruction.operands);
}

std::string registersText(const Registers& registers, const MemoryOperand& operand) {
    const ArchInfo& info = archInfo(registers.arch());
    std::vector<std::string> texts;
    for (const auto& id : {operand.base, operand.index, operand.segmentBase}) {
        if (!id || *id >= info.registers.size()) continue;
        const auto value = registers.get(*id);
        texts.push_back(
            fmt::format("{}={}", info.registers[*id].name, value ? hex(*value) : std::string("?")));
    }
    return fmt::format("{}", fmt::join(texts, ", "));
}

namespace {

struct RegisterPart {
    RegisterId id;
    unsigned shift, bits;
};

std::optional<RegisterPart> x86Part(Arch arch, std::string_view name) {
    const unsigned whole = archInfo(arch).pointerSize * 8U;
    if (const auto id = registerByName(arch, name)) return RegisterPart{*id, 0, whole};
    const char prefix = arch == Arch::x86_64 ? 'r' : 'e';
    const auto named = [&](std::string_view rest, unsigned shift,
                           unsigned bits) -> std::optional<RegisterPart> {
        const auto id = registerByName(arch, prefix + std::string(rest));
        return id ? std::optional(RegisterPart{*id, shift, bits}) : std::nullopt;
    };
    if (name.size() >= 3 && name.front() == 'r' && name[1] >= '0' && name[1] <= '9') {
        const auto number = name.substr(1, name.size() - 2);
        switch (name.back()) {
        case 'd': return named(number, 0, 32);
        case 'w': return named(number, 0, 16);
        case 'b': return named(number, 0, 8);
        default: return std::nullopt;
        }
    }
    if (name.size() == 3 && name.front() == 'e') return named(name.substr(1), 0, 32);
    if (name.size() == 3 && name.back() == 'l') return named(name.substr(0, 2), 0, 8);  // sil
    if (name.size() != 2) return std::nullopt;
    if (name[1] == 'l') return named(std::string(1, name[0]) + "x", 0, 8);
    if (name[1] == 'h') return named(std::string(1, name[0]) + "x", 8, 8);
    return named(name, 0, 16);  // ax, si
}

std::optional<RegisterPart> registerPart(Arch arch, std::string_view name) {
    if (arch == Arch::x86 || arch == Arch::x86_64) return x86Part(arch, name);
    if (arch == Arch::arm64 && name.starts_with('w')) {
        if (const auto id = registerByName(arch, "x" + std::string(name.substr(1))))
            return RegisterPart{*id, 0, 32};
    }
    if (const auto id = registerByName(arch, name))
        return RegisterPart{*id, 0, archInfo(arch).pointerSize * 8U};
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> operandRegister(const Registers& registers, std::string_view name) {
    const auto part = registerPart(registers.arch(), name);
    if (!part) return std::nullopt;
    const auto value = registers.get(part->id);
    if (!value) return std::nullopt;
    const std::uint64_t shifted = *value >> part->shift;
    return part->bits >= 64 ? shifted : shifted & ((std::uint64_t{1} << part->bits) - 1);
}

namespace {

/// The bytes of the module's file that are mapped at `pc`; empty where there is no file.
ByteView codeInFile(const ModuleSymbols& symbols, const Module& module, std::uint64_t pc,
                    std::size_t size) {
    if (symbols.image != nullptr && !symbols.image->fromProcessMemory() && module.bias)
        return symbols.image->atAddress(pc - *module.bias, size);
    if (symbols.peImage != nullptr && !symbols.imagePath.empty())
        return symbols.peImage->at(static_cast<std::uint32_t>(pc - module.range.begin()), size);
    return {};
}

/// Whether memory holds what the file does. An address in the code of an image (x86's, and 64 bits
/// of a constant) was changed by the loader when it moved the image by `moved` bytes.
bool sameCode(std::span<const std::byte> file, std::span<const std::byte> memory,
              std::uint64_t moved) {
    if (std::ranges::equal(file, memory)) return true;
    if (moved == 0) return false;
    const auto relocated = [&]<class Word>(Word step) {
        for (std::size_t at = 0; at + sizeof(Word) <= file.size(); ++at) {
            const auto there = loadInteger<Word>(file.data() + at);
            if (loadInteger<Word>(memory.data() + at) != static_cast<Word>(there + step)) continue;
            const std::size_t behind = at + sizeof(Word);
            if (std::ranges::equal(file.first(at), memory.first(at)) &&
                std::ranges::equal(file.subspan(behind), memory.subspan(behind)))
                return true;
        }
        return false;
    };
    return relocated(static_cast<std::uint32_t>(moved)) || relocated(moved);
}

/// Compares the code that ran with the module's file: memory errors and patches show here.
std::optional<Finding> compareCodeWithFile(const FaultScene& scene) {
    const std::uint64_t pc = scene.registers.pc();
    const Module* module = scene.crash.process.moduleAt(pc);
    if (module == nullptr || !scene.instruction) return std::nullopt;
    const ModuleSymbols& symbols = scene.crash.symbolizer.module(*module);
    if (symbols.forced || symbols.kind == SymbolKind::mismatch) return std::nullopt;
    const std::size_t size = scene.instruction->bytes.size();
    const ByteView file = codeInFile(symbols, *module, pc, size);
    if (file.size() != size) return std::nullopt;
    std::array<std::byte, 16> ran{};
    // The dump's own memory, not the completed one: that would compare the file with itself.
    if (scene.crash.process.memory->read(pc, std::span(ran).first(size)).bytes != size)
        return std::nullopt;
    const std::uint64_t moved =
        symbols.peImage ? module->range.begin() - symbols.peImage->imageBase() : 0;
    if (sameCode(file.span(), std::span(ran).first(size), moved)) return std::nullopt;
    return Finding{
        "The code at the fault differs from the module's file: it was patched, or memory "
        "is damaged.",
        {fmt::format("{}: {} in memory, {} in {}", hex(pc), hexBytes(std::span(ran).first(size)),
                     hexBytes(file.span()), symbols.imagePath)},
        Confidence::high};
}

/// A stack pointer that is in no stack: overwritten, or moved on purpose.
std::optional<Finding> examineStackPointer(const FaultScene& scene) {
    const Process& process = scene.crash.process;
    const std::uint64_t sp = scene.registers.sp();
    const bool nowhere = isMapped(process, sp) == false;
    if (!nowhere && process.moduleAt(sp) == nullptr) return std::nullopt;
    return Finding{
        "The stack pointer does not point into a stack.",
        {fmt::format("{} is {}: {}",
                     archInfo(scene.crash.arch()).registers[archInfo(scene.crash.arch()).sp].name,
                     hex(sp), describeAddress(process, sp))},
        Confidence::medium};
}

}  // namespace

FaultDiagnosis diagnoseFault(const CrashCase& crash, const Exception& exception,
                             const Registers& registers, const NamedStack& stack) {
    FaultDiagnosis out;
    FaultScene scene{crash, exception, registers, stack, crash.instructionAt(registers.pc())};
    // Bytes at an address that is not executable were never an instruction.
    const Region* region = crash.process.regionAt(registers.pc());
    if (region != nullptr && !region->protection.execute) scene.instruction.reset();
    out.fault.instruction = scene.instruction;
    switch (exception.code) {
    case signals::segv:
    case signals::bus: diagnoseMemoryFault(scene, out); break;
    case signals::fpe: diagnoseArithmeticFault(scene, out); break;
    case signals::ill:
    case signals::trap: diagnoseInstructionFault(scene, out); break;
    default: break;
    }
    if (!out.stackExhausted) {
        if (auto astray = examineStackPointer(scene)) out.findings.push_back(std::move(*astray));
    }
    if (auto differs = compareCodeWithFile(scene)) {
        out.fault.patchedCode = differs->evidence.front();
        out.findings.push_back(std::move(*differs));
    }
    out.fault.strayJump = out.strayJump;
    return out;
}

}  // namespace icecore
