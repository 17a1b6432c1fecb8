#include "arch/disassembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/text.h"

namespace icecore {
namespace {

using testing::SizeIs;

std::optional<Instruction> decode(Arch arch, std::string_view hexText,
                                  std::uint64_t address = 0x1000) {
    const auto disassembler = Disassembler::create(arch);
    const auto bytes = parseHexBytes(hexText);
    if (!disassembler || !bytes) return std::nullopt;
    return (*disassembler)->decode(*bytes, address);
}

std::string whole(const Instruction& instruction) {
    return instruction.operands.empty() ? instruction.mnemonic
                                        : instruction.mnemonic + " " + instruction.operands;
}

/// "r8" for a read of eight bytes, "w16", "rw4".
std::string access(const MemoryOperand& operand) {
    return std::string(operand.read ? "r" : "") + (operand.write ? "w" : "") +
           std::to_string(operand.size);
}

struct X64Case {
    std::string_view bytes, text;
    std::string_view accesses;  ///< of all memory operands, joined by a blank
};

TEST(DisassemblerX64, TellsWhichMemoryIsReadAndWritten) {
    constexpr auto cases = std::to_array<X64Case>({
        {"c7401001000000", "mov dword ptr [rax + 0x10], 1", "w4"},
        {"488b448bf8", "mov rax, qword ptr [rbx + rcx*4 - 8]", "r8"},
        {"64488b042528000000", "mov rax, qword ptr fs:[0x28]", "r8"},
        {"803f00", "cmp byte ptr [rdi], 0", "r1"},
        {"f60701", "test byte ptr [rdi], 1", "r1"},
        {"480118", "add qword ptr [rax], rbx", "rw8"},
        {"480318", "add rbx, qword ptr [rax]", "r8"},
        {"48ff00", "inc qword ptr [rax]", "rw8"},
        {"50", "push rax", "w8"},
        {"ff7008", "push qword ptr [rax + 8]", "r8 w8"},
        {"5b", "pop rbx", "r8"},
        {"8f442408", "pop qword ptr [rsp + 8]", "w8 r8"},
        {"ffd0", "call rax", "w8"},
        {"ff5008", "call qword ptr [rax + 8]", "r8 w8"},
        {"c3", "ret", "r8"},
        {"c9", "leave", "r8"},
        {"a4", "movsb byte ptr [rdi], byte ptr [rsi]", "w1 r1"},
        {"f348a5", "rep movsq qword ptr [rdi], qword ptr [rsi]", "w8 r8"},
        {"f3aa", "rep stosb byte ptr [rdi], al", "w1"},
        {"ae", "scasb al, byte ptr [rdi]", "r1"},
        {"f3a6", "repe cmpsb byte ptr [rsi], byte ptr [rdi]", "r1 r1"},
        {"48ad", "lodsq rax, qword ptr [rsi]", "r8"},
        {"8707", "xchg dword ptr [rdi], eax", "rw4"},
        {"f00fb10f", "lock cmpxchg dword ptr [rdi], ecx", "rw4"},
        {"480fc70f", "cmpxchg16b xmmword ptr [rdi]", "rw16"},
        {"f77dfc", "idiv dword ptr [rbp - 4]", "r4"},
        {"f7f9", "idiv ecx", ""},
        {"0f290424", "movaps xmmword ptr [rsp], xmm0", "w16"},
        {"0f1006", "movups xmm0, xmmword ptr [rsi]", "r16"},
        {"c5fe6f06", "vmovdqu ymm0, ymmword ptr [rsi]", "r32"},
        {"c5fe7f0f", "vmovdqu ymmword ptr [rdi], ymm1", "w32"},
        {"62e1fe287f07", "vmovdqu64 ymmword ptr [rdi], ymm16", "w32"},
        {"c5fd740f", "vpcmpeqb ymm1, ymm0, ymmword ptr [rdi]", "r32"},
        {"480fc307", "movnti qword ptr [rdi], rax", "w8"},
        {"66480f3a160001", "pextrq qword ptr [rax], xmm0, 1", "w8"},
        {"0f1708", "movhps qword ptr [rax], xmm1", "w8"},
        {"0f9400", "sete byte ptr [rax]", "w1"},
        {"0fab08", "bts dword ptr [rax], ecx", "rw4"},
        {"0fa308", "bt dword ptr [rax], ecx", "r4"},
        {"488d4308", "lea rax, [rbx + 8]", ""},
        {"660f1f0400", "nop word ptr [rax + rax]", ""},
        {"0f1808", "prefetcht0 byte ptr [rax]", ""},
        {"c8100000", "enter 0x10, 0", "w8"},
        // Newer than Capstone 4, decoded by ourselves.
        {"62f17d207407", "vpcmpeqb k0, ymm16, ymmword ptr [rdi]", "r32"},
        {"62f37d403f403f00", "vpcmpeqb k0, zmm16, zmmword ptr [rax + 0xfc0]", "r64"},
        {"62f37d203f4f0404", "vpcmpneqb k1, ymm16, ymmword ptr [rdi + 0x80]", "r32"},
        {"62931d203ef601", "vpcmpltub k6, ymm28, ymm30", ""},
        {"62f37d0a1fc900", "vpcmpeqd k1 {k2}, xmm0, xmm1", ""},
        {"62b2664026db", "vptestnmb k3, zmm19, zmm19", ""},
        {"c5fb93c0", "kmovd eax, k0", ""},
        {"c4e1fb93c0", "kmovq rax, k0", ""},
        {"c4e1e44bda", "kunpckdq k3, k3, k2", ""},
        {"c4e1f898c8", "kortestq k1, k0", ""},
    });
    for (const X64Case& test : cases) {
        SCOPED_TRACE(test.text);
        const auto instruction = decode(Arch::x86_64, test.bytes);
        ASSERT_TRUE(instruction);
        EXPECT_EQ(whole(*instruction), test.text);
        EXPECT_EQ(instruction->bytes.size(), test.bytes.size() / 2);
        std::string accesses;
        for (const MemoryOperand& operand : instruction->memory)
            accesses += (accesses.empty() ? "" : " ") + access(operand);
        EXPECT_EQ(accesses, test.accesses);
    }
}

TEST(DisassemblerX64, ComputesAddresses) {
    Registers registers(Arch::x86_64);
    registers.set(x64::rax, 0x1000);
    registers.set(x64::rbx, 0xffffffff00000010);
    registers.set(x64::rcx, 0x10);
    registers.set(x64::rsp, 0x7ffc0000);
    registers.set(x64::fs_base, 0x7f0000000000);
    const auto addressOf = [&](std::string_view bytes, std::size_t which = 0) {
        const auto instruction = decode(Arch::x86_64, bytes);
        return instruction->memory.at(which).address(registers, 0x1000 + instruction->bytes.size());
    };
    EXPECT_EQ(addressOf("488b448bf8"), 0xffffffff00000048);      // [rbx + rcx*4 - 8]
    EXPECT_EQ(addressOf("488b0534120000"), 0x1007 + 0x1234);     // [rip + 0x1234]
    EXPECT_EQ(addressOf("64488b042528000000"), 0x7f0000000028);  // fs:[0x28]
    EXPECT_EQ(addressOf("50"), 0x7ffbfff8);                      // push
    EXPECT_EQ(addressOf("c3"), 0x7ffc0000);                      // ret
    EXPECT_EQ(addressOf("8f442408"), 0x7ffc0010);                // pop [rsp + 8]: after the pop
    EXPECT_EQ(addressOf("ff5008", 1), 0x7ffbfff8);               // call [rax + 8]: the push
    EXPECT_EQ(addressOf("678a4304"), 0x14);                      // [ebx + 4]: cut to 32 bits
    EXPECT_EQ(addressOf("488b02"), std::nullopt);                // rdx is unknown
    EXPECT_EQ(addressOf("c4e26d900488"), std::nullopt);          // gather: a vector of indices
}

TEST(DisassemblerX64, TellsFlowAndTargets) {
    const auto call = decode(Arch::x86_64, "e85f000000");
    EXPECT_EQ(call->flow, Flow::call);
    EXPECT_EQ(call->target, 0x1064);
    const auto indirect = decode(Arch::x86_64, "ffd0");
    EXPECT_EQ(indirect->flow, Flow::call);
    EXPECT_EQ(indirect->target, std::nullopt);
    EXPECT_EQ(indirect->targetRegister, RegisterId{x64::rax});
    const auto branch = decode(Arch::x86_64, "7503");
    EXPECT_EQ(branch->flow, Flow::conditional_jump);
    EXPECT_EQ(branch->target, 0x1005);
    EXPECT_EQ(decode(Arch::x86_64, "e202")->flow, Flow::conditional_jump);  // loop
    EXPECT_EQ(decode(Arch::x86_64, "ffe0")->flow, Flow::jump);
    EXPECT_EQ(decode(Arch::x86_64, "c3")->flow, Flow::ret);
    EXPECT_EQ(decode(Arch::x86_64, "0f0b")->flow, Flow::trap);  // ud2
    EXPECT_EQ(decode(Arch::x86_64, "cc")->flow, Flow::trap);    // int3
    EXPECT_EQ(decode(Arch::x86_64, "cd29")->flow, Flow::trap);  // __fastfail
    EXPECT_EQ(decode(Arch::x86_64, "cd80")->flow, Flow::next);  // a system call comes back
    EXPECT_EQ(decode(Arch::x86_64, "0f05")->flow, Flow::next);
    EXPECT_EQ(decode(Arch::x86_64, "f30f1efa")->mnemonic, "endbr64");
}

TEST(DisassemblerX64, RefusesWhatIsNoInstruction) {
    EXPECT_FALSE(decode(Arch::x86_64, "06"));    // push es: not in 64-bit mode
    EXPECT_FALSE(decode(Arch::x86_64, "488b"));  // cut off
    EXPECT_FALSE(decode(Arch::x86_64, ""));
    EXPECT_FALSE(decode(Arch::x86_64, "62f17d2074"));  // our own decoder, cut off
    EXPECT_FALSE(decode(Arch::x86_64, "c5fb93"));
    EXPECT_FALSE(Disassembler::create(Arch::unknown));
}

TEST(DisassemblerX86, KnowsTheStackOf32Bits) {
    Registers registers(Arch::x86);
    registers.set(x86::esp, 0xffffd000);
    registers.set(x86::ebp, 0x8);
    const auto push = decode(Arch::x86, "55");
    ASSERT_THAT(push->memory, SizeIs(1));
    EXPECT_EQ(access(push->memory[0]), "w4");
    EXPECT_EQ(push->memory[0].address(registers, 0), 0xffffcffc);
    const auto load = decode(Arch::x86, "8b45f0");  // mov eax, [ebp - 0x10]
    EXPECT_EQ(load->memory.at(0).address(registers, 0), 0xfffffff8);
    const auto tls = decode(Arch::x86, "65a114000000");  // mov eax, gs:[0x14]
    EXPECT_EQ(tls->memory.at(0).address(registers, 0), std::nullopt);
    EXPECT_EQ(decode(Arch::x86, "e8fbffffff", 0x2)->target, 0x2);
}

TEST(DisassemblerArm64, TellsMemoryFlowAndTargets) {
    struct Case {
        std::string_view bytes, text, accesses;
    };
    constexpr auto cases = std::to_array<Case>({
        {"200040f9", "ldr x0, [x1]", "r8"},
        {"20004039", "ldrb w0, [x1]", "r1"},
        {"200480b9", "ldrsw x0, [x1, #4]", "r4"},
        {"fd7bbea9", "stp x29, x30, [sp, #-0x20]!", "w16"},
        {"000401ad", "stp q0, q1, [x0, #0x20]", "w32"},
        {"2000c03d", "ldr q0, [x1]", "r16"},
        {"207c02c8", "stxr w2, x0, [x1]", "w8"},
        {"00a0404c", "ld1 {v0.16b, v1.16b}, [x0]", "r32"},
        {"01c01fb8", "stur w1, [x0, #-4]", "w4"},
        {"40044069", "ldpsw x0, x1, [x2]", "r8"},
        {"000080f9", "prfm pldl1keep, [x0]", ""},
        // Decoded by ourselves.
        {"417ce0c8", "casa x0, x1, [x2]", "rw8"},
        {"2000e0b8", "ldaddal w0, w0, [x1]", "rw4"},
        {"208060b8", "swpl w0, w0, [x1]", "rw4"},
        {"20c0bff8", "ldapr x0, [x1]", "r8"},
        {"3f2303d5", "paciasp", ""},
        {"5f2403d5", "bti c", ""},
    });
    for (const Case& test : cases) {
        SCOPED_TRACE(test.text);
        const auto instruction = decode(Arch::arm64, test.bytes);
        ASSERT_TRUE(instruction);
        EXPECT_EQ(whole(*instruction), test.text);
        std::string accesses;
        for (const MemoryOperand& operand : instruction->memory)
            accesses += access(operand);
        EXPECT_EQ(accesses, test.accesses);
    }
    EXPECT_EQ(decode(Arch::arm64, "10000094")->target, 0x1040);
    EXPECT_EQ(decode(Arch::arm64, "10000094")->flow, Flow::call);
    EXPECT_EQ(decode(Arch::arm64, "20003fd6")->targetRegister, RegisterId{1});
    EXPECT_EQ(decode(Arch::arm64, "80000054")->flow, Flow::conditional_jump);
    EXPECT_EQ(decode(Arch::arm64, "04000014")->flow, Flow::jump);
    EXPECT_EQ(decode(Arch::arm64, "80001836")->target, 0x1010);   // tbz w0, #3, …
    EXPECT_EQ(decode(Arch::arm64, "ff0b5fd6")->flow, Flow::ret);  // retaa
    EXPECT_EQ(decode(Arch::arm64, "01083fd7")->mnemonic, "blraa");
    EXPECT_EQ(decode(Arch::arm64, "00000000")->flow, Flow::trap);  // udf #0
    EXPECT_FALSE(decode(Arch::arm64, "200040"));
}

TEST(DisassemblerArm64, ComputesAddresses) {
    Registers registers(Arch::arm64);
    registers.set(1, 0x1000);
    registers.set(2, 0xfffffffffffffffe);
    registers.set(arm64::sp, 0x8000);
    const auto addressOf = [&](std::string_view bytes) {
        return decode(Arch::arm64, bytes)->memory.at(0).address(registers, 0x1004);
    };
    EXPECT_EQ(addressOf("200c41f8"), 0x1010);  // ldr x0, [x1, #16]!: before
    EXPECT_EQ(addressOf("200441f8"), 0x1000);  // ldr x0, [x1], #16: after
    EXPECT_EQ(addressOf("20d862b8"), 0xff8);   // ldr w0, [x1, w2, sxtw #2]
    EXPECT_EQ(addressOf("207862b8"), 0xff8);   // ldr w0, [x1, x2, lsl #2]
    EXPECT_EQ(addressOf("fd7bbea9"), 0x7fe0);  // stp x29, x30, [sp, #-32]!
    EXPECT_EQ(addressOf("00020058"), 0x1040);  // ldr x0, literal
}

TEST(DisassemblerArm, TellsMemoryAndFlow) {
    Registers registers(Arch::arm);
    registers.set(arm::sp, 0x8000);
    registers.set(1, 0x1000);
    registers.set(2, 0x20);
    const auto push = decode(Arch::arm, "f0402de9");  // push {r4-r7, lr}
    ASSERT_THAT(push->memory, SizeIs(1));
    EXPECT_EQ(access(push->memory[0]), "w20");
    EXPECT_EQ(push->memory[0].address(registers, 0), 0x8000 - 20);
    const auto load = decode(Arch::arm, "021091e7");  // ldr r1, [r1, r2]
    EXPECT_EQ(load->memory.at(0).address(registers, 0), 0x1020);
    EXPECT_EQ(access(load->memory[0]), "r4");
    EXPECT_EQ(decode(Arch::arm, "f080bde8")->flow, Flow::ret);  // pop {…, pc}
    EXPECT_EQ(decode(Arch::arm, "1eff2fe1")->flow, Flow::ret);  // bx lr
    EXPECT_EQ(decode(Arch::arm, "feffff0a")->flow, Flow::conditional_jump);
    EXPECT_EQ(decode(Arch::arm, "feffffea")->target, 0x1000);
    EXPECT_EQ(decode(Arch::arm, "f000f0e7")->flow, Flow::trap);      // udf
    EXPECT_EQ(decode(Arch::arm, "8847", 0x1001)->flow, Flow::call);  // Thumb: blx r1
    EXPECT_EQ(decode(Arch::arm, "8847", 0x1001)->bytes.size(), 2U);
}

}  // namespace
}  // namespace icecore
