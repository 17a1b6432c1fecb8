// SIGSEGV and SIGBUS: why what was accessed could not be.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/fault_parts.h"
#include "analysis/memory_access.h"
#include "analysis/suspicious_values.h"
#include "base/text.h"

namespace icecore {

namespace {

constexpr std::uint64_t nullReach = 0x10000;  ///< nothing is ever mapped below (mmap_min_addr)

/// Vector instructions that want their memory aligned to its size. Intel SDM, volume 2, table 2-19
/// and on: legacy SSE does, but for the ones with "unaligned" in their meaning; of AVX only these.
bool wantsAlignment(const Instruction& instruction, const MemoryOperand& operand) {
    if (operand.size < 16) return false;
    const std::string_view name = instruction.mnemonic;
    constexpr auto aligned =
        std::to_array<std::string_view>({"vmovaps", "vmovapd", "vmovdqa", "vmovdqa32", "vmovdqa64",
                                         "vmovntps", "vmovntpd", "vmovntdq", "vmovntdqa"});
    if (name.starts_with('v')) return std::ranges::find(aligned, name) != aligned.end();
    constexpr auto unaligned =
        std::to_array<std::string_view>({"movups", "movupd", "movdqu", "lddqu", "pcmpestri",
                                         "pcmpestrm", "pcmpistri", "pcmpistrm"});
    return std::ranges::find(unaligned, name) == unaligned.end() &&
           instruction.operands.find("xmm") != std::string::npos;
}

bool isPrivileged(std::string_view mnemonic) {
    constexpr auto names = std::to_array<std::string_view>(
        {"hlt",    "cli",     "sti",    "in",     "out",     "insb",  "insw",   "insd",
         "outsb",  "outsw",   "outsd",  "lgdt",   "lidt",    "lldt",  "ltr",    "lmsw",
         "clts",   "invd",    "wbinvd", "invlpg", "rdmsr",   "wrmsr", "rdpmc",  "swapgs",
         "sysret", "sysexit", "iretq",  "iretd",  "monitor", "mwait", "xsetbv", "rsm"});
    return std::ranges::find(names, mnemonic) != names.end();
}

void conclude(FaultDiagnosis& out, std::string kind, std::string happening, std::string claim,
              std::vector<std::string> evidence, Confidence confidence) {
    out.kind = std::move(kind);
    out.happening = std::move(happening);
    out.findings.push_back({std::move(claim), std::move(evidence), confidence});
}

/// The register that made the address bad: the base, where there is one.
std::optional<RegisterId> culprit(const MemoryOperand& operand) {
    return operand.base ? operand.base : operand.index;
}

/// Through a null pointer: a small address, or a base register of zero with a large rest.
bool diagnoseNull(const FaultScene& scene, const MemoryAccess& access, FaultDiagnosis& out) {
    const std::uint64_t address = *access.address;
    const MemoryOperand* operand = access.operand;
    std::optional<std::uint64_t> base;
    if (operand != nullptr && operand->base && *operand->base != archInfo(scene.crash.arch()).pc)
        base = scene.registers.get(*operand->base);
    // A zero base with more than one unknown is an array index as well as a null pointer: only a
    // plain small address counts then.
    const bool small = address < nullReach;
    if (!small && !(base && *base == 0 && operand->displacement != 0 && !operand->index &&
                    !operand->segmentBase))
        return false;
    if (access.kind == AccessKind::execute) {
        out.strayJump = true;
        conclude(out, "NULL_POINTER_EXECUTE",
                 "called or jumped to " + hex(address) + ", a null function pointer",
                 "The thread jumped to a null function pointer.", evidenceOf(scene, access),
                 address == 0 ? Confidence::certain : Confidence::high);
        return true;
    }
    std::string how = "through a null pointer";
    if (address != 0) how += fmt::format(" (plus {})", hex(address));
    Confidence confidence = Confidence::high;
    if (address == 0 || (base && *base == 0)) confidence = Confidence::certain;
    if (access.kind == AccessKind::unknown && confidence == Confidence::certain)
        confidence = Confidence::high;
    if (small && base && *base >= nullReach && *base < UINT64_MAX - nullReach)
        confidence = Confidence::medium;  // the sum is small by chance or by a wrap
    conclude(out, "NULL_POINTER" + kindSuffix(access.kind), attemptText(access) + " " + how,
             "A null pointer was used.", evidenceOf(scene, access), confidence);
    return true;
}

void examineOrigin(const FaultScene& scene, const MemoryAccess& access, FaultDiagnosis& out) {
    const auto take = [&](std::optional<BadPointer> bad) {
        if (!bad) return false;
        out.findings.push_back(std::move(bad->finding));
        out.fault.oneBitFrom = bad->oneBitFrom;
        return true;
    };
    if (access.operand != nullptr) {
        const auto& names = archInfo(scene.crash.arch()).registers;
        for (const auto& id : {access.operand->base, access.operand->index}) {
            if (!id || *id == archInfo(scene.crash.arch()).pc) continue;
            const auto value = scene.registers.get(*id);
            if (!value) continue;
            if (take(examineBadPointer(scene.crash, names[*id].name, *value))) return;
        }
    }
    if (access.address) take(examineBadPointer(scene.crash, "the address", *access.address));
}

/// Something is mapped there, and its protection forbids the access. `region` is null when the
/// dump does not list it: the kernel's word (SEGV_ACCERR) says that it is there.
void diagnoseProtection(const FaultScene& scene, const MemoryAccess& access, const Region* region,
                        FaultDiagnosis& out) {
    const Process& process = scene.crash.process;
    const bool told = scene.exception.signalCode == signal_codes::segvAccessError;
    const Confidence confidence =
        told && region != nullptr ? Confidence::certain : Confidence::high;
    const std::string what = describeAddress(process, *access.address);
    auto evidence = evidenceOf(scene, access);
    // Without a region, code and constants of a module are what one must not write to.
    const bool inModule = process.moduleAt(*access.address) != nullptr;
    const Protection protection =
        region != nullptr ? region->protection : Protection{.read = inModule};
    const bool nothing = !protection.read && !protection.write && !protection.execute;
    if (scene.exception.signalCode == signal_codes::segvKeyError) {
        conclude(out, "PROTECTION_KEY" + kindSuffix(access.kind),
                 attemptText(access) + ", which a protection key forbids",
                 "A memory protection key forbids the access.", std::move(evidence),
                 Confidence::certain);
    } else if (access.kind == AccessKind::execute && !protection.execute) {
        out.strayJump = true;
        conclude(out, "EXECUTE_DATA", attemptText(access) + ", which is data",
                 "The thread executed data: " + what + ".", std::move(evidence), confidence);
    } else if (nothing) {
        conclude(
            out, "NO_ACCESS" + kindSuffix(access.kind),
            attemptText(access) + ", in pages that allow no access",
            "The address lies in pages that allow no access: a guard page, or memory set aside.",
            std::move(evidence), confidence);
    } else if (access.kind == AccessKind::write && !protection.write) {
        conclude(out, "READ_ONLY_WRITE", attemptText(access) + ", which is read-only",
                 "Read-only memory was written to: " + what + ".", std::move(evidence), confidence);
    } else if (access.kind == AccessKind::read && !protection.read) {
        conclude(out, "NO_ACCESS_READ", attemptText(access) + ", which must not be read",
                 "Memory was read that must not be: " + what + ".", std::move(evidence),
                 confidence);
    } else if (told && access.kind == AccessKind::read) {
        conclude(out, "NO_ACCESS_READ", attemptText(access) + ", in pages that do not allow it",
                 "The kernel says that the pages may not be read (a guard page), though the dump "
                 "records them as readable, as gdb's cores do with every page.",
                 std::move(evidence), Confidence::medium);
    } else {
        conclude(
            out, "INVALID_POINTER" + kindSuffix(access.kind), attemptText(access),
            "The access failed, though the dump shows memory there that allows it: it may have "
            "been mapped or unprotected since.",
            std::move(evidence), Confidence::low);
    }
}

/// -1 (MAP_FAILED) and negated error numbers, which functions return in place of pointers.
bool diagnoseErrorValue(const FaultScene& scene, const MemoryAccess& access, FaultDiagnosis& out) {
    constexpr std::int64_t largestError = 4095;
    if (access.operand == nullptr) return false;
    const auto id = culprit(*access.operand);
    const auto value = id ? scene.registers.get(*id) : std::nullopt;
    if (!value) return false;
    const auto number = static_cast<std::int64_t>(*value);
    if (number >= 0 || number < -largestError) return false;
    const std::string which = number == -1
                                  ? std::string("-1 (MAP_FAILED, or an error result)")
                                  : fmt::format("{}, which looks like an error number", number);
    conclude(out, "ERROR_VALUE_POINTER" + kindSuffix(access.kind),
             fmt::format("{} through a pointer that is {}", attemptText(access), which),
             "An error result was used as a pointer.", evidenceOf(scene, access),
             Confidence::medium);
    return true;
}

void diagnoseInvalidPointer(const FaultScene& scene, const MemoryAccess& access,
                            FaultDiagnosis& out) {
    const auto mapped = isMapped(scene.crash.process, *access.address);
    std::string where;
    for (const UnloadedModule& module : scene.crash.process.unloadedModules) {
        if (module.range.contains(*access.address)) where = ", in an unloaded module";
    }
    const bool execute = access.kind == AccessKind::execute;
    out.strayJump = execute;
    conclude(out, (where.empty() ? "INVALID_POINTER" : "UNLOADED_MODULE") + kindSuffix(access.kind),
             attemptText(access) + (where.empty() ? ", which is not mapped" : where),
             execute ? "The thread jumped to an address where nothing is mapped."
                     : "A pointer led to an address where nothing is mapped.",
             evidenceOf(scene, access),
             mapped == false && access.kind != AccessKind::unknown ? Confidence::certain
                                                                   : Confidence::high);
    examineOrigin(scene, access, out);
}

/// A general protection fault: what it was if not a bad address.
void diagnoseGeneralProtection(const FaultScene& scene, FaultDiagnosis& out) {
    const MemoryAccess bad = findNonCanonical(scene);
    if (bad.address) {
        out.fault.address = bad.address;
        out.fault.access = bad.kind;
        out.strayJump = false;  // the branch itself faults: its own function is to blame
        conclude(out, "NON_CANONICAL" + kindSuffix(bad.kind),
                 attemptText(bad) + ", which is no valid address (not canonical)",
                 "The address is not canonical: the processor refuses it whatever is mapped. The "
                 "kernel does not report it; it is computed from the operand.",
                 evidenceOf(scene, bad), Confidence::high);
        if (bad.operand != nullptr) {
            out.fault.operand = bad.operand->text;
            out.fault.registers = registersText(scene.registers, *bad.operand);
        }
        examineOrigin(scene, bad, out);
        return;
    }
    if (scene.instruction) {
        for (const MemoryOperand& operand : scene.instruction->memory) {
            const auto address = operand.address(scene.registers, scene.nextPc());
            if (!address || !wantsAlignment(*scene.instruction, operand) ||
                *address % operand.size == 0)
                continue;
            const MemoryAccess access{address, accessKindOf(operand), &operand, true};
            out.fault.address = address;
            out.fault.access = access.kind;
            out.fault.operand = operand.text;
            out.fault.registers = registersText(scene.registers, operand);
            conclude(
                out, "MISALIGNED" + kindSuffix(access.kind),
                attemptText(access) + fmt::format(", which is not aligned to {}", operand.size),
                fmt::format("{} wants its memory aligned to {} bytes. Often the stack pointer "
                            "was misaligned by a caller, or a type's alignment was lost.",
                            scene.instruction->mnemonic, operand.size),
                evidenceOf(scene, access), Confidence::high);
            return;
        }
        if (isPrivileged(scene.instruction->mnemonic)) {
            conclude(
                out, "PRIVILEGED_INSTRUCTION",
                fmt::format("executed {}, which only the kernel may", scene.instruction->mnemonic),
                "A privileged instruction was executed.",
                {"instruction " + instructionText(*scene.instruction)}, Confidence::high);
            return;
        }
    }
    const MemoryAccess guess = findImpossible(scene);
    if (guess.address) {
        out.fault.access = guess.kind;
        out.fault.address = guess.address;
        if (!isMapped(scene.crash.process, *guess.address).value_or(true)) {
            diagnoseInvalidPointer(scene, guess, out);
            return;
        }
    }
    conclude(out, "GENERAL_PROTECTION", "caused a general protection fault",
             "The processor refused the instruction; the kernel does not say why.",
             evidenceOf(scene, {}), Confidence::low);
}

void diagnoseBus(const FaultScene& scene, const MemoryAccess& access, FaultDiagnosis& out) {
    auto evidence = evidenceOf(scene, access);
    switch (scene.exception.signalCode) {
    case signal_codes::busAlignment:
        conclude(out, "MISALIGNED" + kindSuffix(access.kind),
                 attemptText(access) + ", which is misaligned",
                 "The address is not aligned as the instruction needs it.", std::move(evidence),
                 Confidence::certain);
        return;
    case signal_codes::busMemoryRequired:
    case signal_codes::busMemoryOptional:
        conclude(out, "MEMORY_ERROR", attemptText(access) + ", where the memory is defective",
                 "The hardware reported an uncorrectable memory error.", std::move(evidence),
                 Confidence::certain);
        return;
    default: break;
    }
    const Region* region = access.address ? scene.crash.process.regionAt(*access.address) : nullptr;
    if (region != nullptr && !region->name.empty() && region->name.front() == '/') {
        const std::uint64_t offset = *access.address - region->range.begin() + region->fileOffset;
        evidence.push_back(fmt::format("{} mapped from offset {}; the access is at offset {}",
                                       region->name, hex(region->fileOffset), hex(offset)));
        const bool deleted = region->name.ends_with(" (deleted)");
        conclude(out, "BEYOND_END_OF_FILE" + kindSuffix(access.kind),
                 attemptText(access) + ", which the mapped file does not reach",
                 fmt::format("The mapped file has no data there: it is shorter than its mapping "
                             "(truncated after it was mapped{}), or reading it failed.",
                             deleted ? ", and deleted by now" : ""),
                 std::move(evidence), Confidence::high);
        return;
    }
    conclude(out, "BUS_ERROR" + kindSuffix(access.kind),
             attemptText(access) + ", which has no memory behind it",
             "There is no memory behind the mapping: shared memory or huge pages ran out, or the "
             "device failed.",
             std::move(evidence), Confidence::medium);
}

}  // namespace

void diagnoseMemoryFault(const FaultScene& scene, FaultDiagnosis& out) {
    const Exception& exception = scene.exception;
    const bool x86 = scene.crash.arch() == Arch::x86_64 || scene.crash.arch() == Arch::x86;
    // Breakpad's dumps drop si_code: an address of 0 that no operand has, beside an operand that
    // is not canonical, is a general protection fault all the same.
    const bool codeUnknown = exception.signalCode == 0 && exception.rawSignalInfo.empty();
    const bool disguised = codeUnknown && exception.faultAddress.value_or(0) == 0 &&
                           isExecutable(scene.crash.process, scene.registers.pc()) &&
                           matchOperand(scene, 0).operand == nullptr &&
                           findNonCanonical(scene).address.has_value();
    if (x86 && (exception.signalCode == signal_codes::kernel || disguised)) {
        diagnoseGeneralProtection(scene, out);
        return;
    }
    MemoryAccess access;
    if (exception.faultAddress) {
        const std::uint64_t address = *exception.faultAddress;
        if (address == scene.registers.pc() && !isExecutable(scene.crash.process, address)) {
            access = {address, AccessKind::execute, nullptr, false};
        } else {
            access = matchOperand(scene, address);
        }
    } else {
        access = findImpossible(scene);
    }
    out.fault.access = access.kind;
    out.fault.address = access.address;
    if (access.operand != nullptr) {
        out.fault.operand = access.operand->text;
        out.fault.registers = registersText(scene.registers, *access.operand);
    }
    if (!access.address) {
        conclude(out, "INVALID_POINTER", "accessed memory it must not",
                 "The dump does not tell which address was accessed.", evidenceOf(scene, access),
                 Confidence::low);
        return;
    }
    if (exception.code == signals::bus) {
        diagnoseBus(scene, access, out);
        return;
    }
    if (diagnoseStackExhaustion(scene, *access.address, out)) return;
    if (diagnoseNull(scene, access, out)) return;
    if (diagnoseErrorValue(scene, access, out)) return;
    const Region* region = scene.crash.process.regionAt(*access.address);
    const bool denied = exception.signalCode == signal_codes::segvAccessError ||
                        exception.signalCode == signal_codes::segvKeyError;
    if (denied || isMapped(scene.crash.process, *access.address) == true) {
        diagnoseProtection(scene, access, region, out);
    } else {
        diagnoseInvalidPointer(scene, access, out);
    }
}

}  // namespace icecore
