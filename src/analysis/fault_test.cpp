// Faults of hand-made processes: what real machines at hand cannot show (other architectures, dumps
// without siginfo, single flipped bits).
#include "analysis/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/suspicious_values.h"
#include "base/text.h"
#include "memory/segment_space.h"
#include "model/signals.h"

namespace icecore {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t codeAt = 0x400000;
constexpr std::uint64_t stackAt = 0x7ffff0000000;

/// One thread at `codeAt`, whose code is `codeHex`; a stack, a data region, and a guard.
class FaultTest : public testing::Test {
protected:
    void makeProcess(Arch arch, std::string_view codeHex) {
        process_ = Process();
        process_.system.os = Os::linux_os;
        process_.system.arch = arch;
        std::vector<std::byte> bytes = *parseHexBytes(codeHex);
        bytes.resize(0x1000);
        SegmentSpaceBuilder builder(memorySource(std::move(bytes), "code"));
        builder.addStored(Range::ofSize(codeAt, 0x1000), 0);
        process_.memory = builder.build();
        const std::uint64_t stack = archInfo(arch).pointerSize == 4 ? 0xbf000000 : stackAt;
        addRegion(codeAt, 0x1000, {.read = true, .execute = true});
        addRegion(0x600000, 0x1000, {.read = true, .write = true});
        addRegion(0x700000, 0x1000, {.read = true});
        addRegion(stack - 0x1000, 0x1000, {});
        addRegion(stack, 0x100000, {.read = true, .write = true});
        process_.regions.coverage = Coverage::complete;
        registers_ = Registers(arch);
        registers_.set(archInfo(arch).pc, codeAt);
        registers_.set(archInfo(arch).sp, stack + 0x8f000);
        exception_ = Exception();
        exception_.code = signals::segv;
        exception_.signalCode = signal_codes::segvMapError;
    }
    void addRegion(std::uint64_t at, std::uint64_t size, Protection protection) {
        Region region;
        region.range = Range::ofSize(at, size);
        region.protection = protection;
        region.kind = RegionKind::anonymous;
        process_.regions.items.push_back(region);
    }
    FaultDiagnosis diagnose() {
        snapshot_.process = process_;
        SymbolOptions options;
        options.useDefaultPaths = false;
        const Symbolizer symbolizer(*snapshot_.process, options);
        auto disassembler = Disassembler::create(process_.system.arch);
        const CrashCase crash{snapshot_, *snapshot_.process, symbolizer, process_.memory,
                              std::move(*disassembler)};
        return diagnoseFault(crash, exception_, registers_, NamedStack());
    }

    Process process_;
    Snapshot snapshot_;
    Registers registers_;
    Exception exception_;
};

TEST_F(FaultTest, Arm64NullWriteThroughPair) {
    makeProcess(Arch::arm64, "200401a9");  // stp x0, x1, [x1, #16]
    registers_.set(1, 0);
    exception_.faultAddress = 0x10;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "NULL_POINTER_WRITE");
    EXPECT_EQ(found.fault.operand, "[x1, #0x10]");
    EXPECT_EQ(found.fault.registers, "x1=0x0");
    EXPECT_EQ(found.happening,
              "tried to write 16 bytes to 0x10 through a null pointer (plus 0x10)");
}

TEST_F(FaultTest, Arm64AtomicOnReadOnlyPage) {
    makeProcess(Arch::arm64, "2000e0b8");  // ldaddal w0, w0, [x1]
    registers_.set(1, 0x700010);
    exception_.faultAddress = 0x700010;
    exception_.signalCode = signal_codes::segvAccessError;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "READ_ONLY_WRITE");
    EXPECT_EQ(found.findings.front().confidence, Confidence::certain);
}

TEST_F(FaultTest, X86NullRead) {
    makeProcess(Arch::x86, "8b4508");  // mov eax, [ebp + 8]
    registers_.set(x86::ebp, 0);
    exception_.faultAddress = 8;
    EXPECT_EQ(diagnose().kind, "NULL_POINTER_READ");
}

TEST_F(FaultTest, WithoutSiginfoTheOperandTells) {
    makeProcess(Arch::x86_64, "488903");  // mov [rbx], rax
    registers_.set(x64::rbx, 0x12340000);
    exception_.signalCode = 0;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "INVALID_POINTER_WRITE");
    EXPECT_EQ(found.fault.address, 0x12340000U);
    EXPECT_EQ(found.fault.access, AccessKind::write);
    EXPECT_THAT(found.findings.front().evidence, testing::Contains(HasSubstr("computed address")));
}

TEST_F(FaultTest, WithoutCodeNothingIsInvented) {
    makeProcess(Arch::x86_64, "488903");
    process_.memory = emptySpace();
    exception_.faultAddress = 0x12340000;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "INVALID_POINTER");
    EXPECT_EQ(found.fault.access, AccessKind::unknown);
    EXPECT_FALSE(found.fault.instruction);
    EXPECT_NE(found.findings.front().confidence, Confidence::certain);
}

TEST_F(FaultTest, AnAddressThatNoOperandHasStaysUnknown) {
    makeProcess(Arch::x86_64, "488903");  // mov [rbx], rax
    registers_.set(x64::rbx, 0x600000);
    exception_.faultAddress = 0x12340000;
    EXPECT_EQ(diagnose().fault.access, AccessKind::unknown);
}

TEST_F(FaultTest, PushBelowTheStackIsExhaustion) {
    makeProcess(Arch::x86_64, "50");  // push rax
    registers_.set(x64::rsp, stackAt);
    exception_.faultAddress = stackAt - 8;
    exception_.signalCode = signal_codes::segvAccessError;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "STACK_OVERFLOW");
    EXPECT_TRUE(found.stackExhausted);
}

TEST_F(FaultTest, GuardPageFarFromTheStackPointerIsNoExhaustion) {
    makeProcess(Arch::x86_64, "488b03");  // mov rax, [rbx]
    registers_.set(x64::rbx, stackAt - 8);
    exception_.faultAddress = stackAt - 8;
    exception_.signalCode = signal_codes::segvAccessError;
    EXPECT_EQ(diagnose().kind, "NO_ACCESS_READ");
}

TEST_F(FaultTest, ReturnToNonCanonicalAddress) {
    makeProcess(Arch::x86_64, "ffe0");  // jmp rax
    registers_.set(x64::rax, 0x4141414141414141);
    exception_.signalCode = signal_codes::kernel;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "NON_CANONICAL_EXECUTE");
    EXPECT_EQ(found.fault.address, 0x4141414141414141U);
}

// What Breakpad's dumps look like: no si_code, the address 0.
TEST_F(FaultTest, GeneralProtectionWithoutSiginfo) {
    makeProcess(Arch::x86_64, "803948");  // cmp byte ptr [rcx], 0x48
    registers_.set(x64::rcx, 0x4141414141414141);
    exception_.signalCode = 0;
    exception_.faultAddress = 0;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "NON_CANONICAL_READ");
    EXPECT_EQ(found.fault.address, 0x4141414141414141U);
}

TEST_F(FaultTest, DivisionWithoutSiginfo) {
    makeProcess(Arch::x86_64, "f7f9");  // idiv ecx
    registers_.set(x64::rcx, 0xffffffff00000000);
    exception_.code = signals::fpe;
    exception_.signalCode = 0;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "DIVIDE_BY_ZERO");
    EXPECT_EQ(found.fault.registers, "ecx=0x0");
}

TEST_F(FaultTest, IllegalInstructionThatTheDumpDoesNotHold) {
    makeProcess(Arch::x86_64, "0f0b");
    process_.memory = emptySpace();
    Module module;
    module.range = Range::ofSize(codeAt, 0x1000);
    module.path = "/bin/program";
    process_.modules.items.push_back(module);
    exception_.code = signals::ill;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "ILLEGAL_INSTRUCTION");
    EXPECT_THAT(found.findings.front().claim, HasSubstr("not in the dump"));
}

TEST_F(FaultTest, StackPointerAstray) {
    makeProcess(Arch::x86_64, "488b03");
    registers_.set(x64::rbx, 0);
    registers_.set(x64::rsp, 0x12345678);
    exception_.faultAddress = 0;
    const FaultDiagnosis found = diagnose();
    ASSERT_EQ(found.findings.size(), 2U);
    EXPECT_THAT(found.findings[1].claim, HasSubstr("stack pointer"));
}

TEST_F(FaultTest, ProtectionKey) {
    makeProcess(Arch::x86_64, "488b03");
    registers_.set(x64::rbx, 0x600000);
    exception_.faultAddress = 0x600000;
    exception_.signalCode = signal_codes::segvKeyError;
    EXPECT_EQ(diagnose().kind, "PROTECTION_KEY_READ");
}

TEST_F(FaultTest, MappedAndAllowedIsNotExplainedAway) {
    makeProcess(Arch::x86_64, "488903");
    registers_.set(x64::rbx, 0x600000);
    exception_.faultAddress = 0x600000;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "INVALID_POINTER_WRITE");
    EXPECT_EQ(found.findings.front().confidence, Confidence::low);
}

TEST_F(FaultTest, HardwareMemoryError) {
    makeProcess(Arch::x86_64, "488b03");
    registers_.set(x64::rbx, 0x600000);
    exception_.code = signals::bus;
    exception_.signalCode = signal_codes::busMemoryRequired;
    exception_.faultAddress = 0x600000;
    EXPECT_EQ(diagnose().kind, "MEMORY_ERROR");
}

TEST_F(FaultTest, ValidInstructionThatTheProcessorLacks) {
    makeProcess(Arch::x86_64, "c5fe6f06");  // vmovdqu ymm0, [rsi]
    Module module;
    module.range = Range::ofSize(codeAt, 0x1000);
    module.path = "/bin/program";
    process_.modules.items.push_back(module);
    exception_.code = signals::ill;
    exception_.signalCode = 2;
    EXPECT_EQ(diagnose().kind, "UNSUPPORTED_INSTRUCTION");
}

TEST_F(FaultTest, BreakpointBehindTheProgramCounter) {
    makeProcess(Arch::x86_64, "cc90");
    registers_.set(x64::rip, codeAt + 1);
    exception_.code = signals::trap;
    exception_.signalCode = signal_codes::kernel;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "BREAKPOINT");
    EXPECT_EQ(found.fault.address, codeAt);
}

TEST_F(FaultTest, OneFlippedBitIsALowSuspicion) {
    makeProcess(Arch::x86_64, "488b03");
    const std::uint64_t wrong = (stackAt + 0x1000) ^ (std::uint64_t{1} << 38);
    registers_.set(x64::rbx, wrong);
    exception_.faultAddress = wrong;
    const FaultDiagnosis found = diagnose();
    ASSERT_EQ(found.findings.size(), 2U);
    EXPECT_THAT(found.findings[1].claim, HasSubstr("bit 38"));
    EXPECT_EQ(found.findings[1].confidence, Confidence::low);
    EXPECT_EQ(found.fault.oneBitFrom, stackAt + 0x1000);
}

TEST_F(FaultTest, ACallIntoAnUnloadedModule) {
    makeProcess(Arch::x86_64, "ffd0");
    UnloadedModule gone;
    gone.range = Range::ofSize(0x10000000, 0x20000);
    gone.path = "plugin.dll";
    process_.unloadedModules.items.push_back(gone);
    registers_.set(x64::rip, 0x10001234);
    exception_.faultAddress = 0x10001234;
    const FaultDiagnosis found = diagnose();
    EXPECT_EQ(found.kind, "UNLOADED_MODULE_EXECUTE");
    EXPECT_TRUE(found.fault.strayJump);
    EXPECT_THAT(found.happening, HasSubstr("in an unloaded module"));
    EXPECT_THAT(found.findings.front().evidence, testing::Contains(HasSubstr("plugin.dll")));
}

TEST_F(FaultTest, AReadFromAnUnloadedModule) {
    makeProcess(Arch::x86_64, "488b03");
    UnloadedModule gone;
    gone.range = Range::ofSize(0x10000000, 0x20000);
    process_.unloadedModules.items.push_back(gone);
    registers_.set(x64::rbx, 0x10008000);
    exception_.faultAddress = 0x10008000;
    EXPECT_EQ(diagnose().kind, "UNLOADED_MODULE_READ");
}

TEST_F(FaultTest, ANearMissIsNoFlippedBit) {
    makeProcess(Arch::x86_64, "488b03");
    const std::uint64_t wrong = 0x601000;  // just behind the data
    registers_.set(x64::rbx, wrong);
    exception_.faultAddress = wrong;
    EXPECT_EQ(diagnose().findings.size(), 1U);
    EXPECT_THAT(diagnose().findings[0].evidence.back(), HasSubstr("behind the end of"));
}

TEST(Signals, InWords) {
    EXPECT_EQ(signalWords(11).name, "SIGSEGV");
    EXPECT_EQ(signalWords(36).name, "SIGRTMIN+2");
    EXPECT_EQ(signalWords(200).name, "signal 200");
    EXPECT_EQ(signalCodeWords(11, 4).name, "SEGV_PKUERR");
    EXPECT_EQ(signalCodeWords(7, 2).name, "BUS_ADRERR");
    EXPECT_EQ(signalCodeWords(8, 1).name, "FPE_INTDIV");
    EXPECT_EQ(signalCodeWords(11, -6).name, "SI_TKILL");
    EXPECT_EQ(signalCodeWords(11, 99).name, "");
}

}  // namespace
}  // namespace icecore
