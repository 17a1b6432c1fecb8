// Unwinding by tables of ARM64 Windows: codes that compilers rarely write, by stacks made by hand.
// Real programs are in pe_programs_test.cpp.
#include <gtest/gtest.h>

#include "unwind/code_and_stack.h"
#include "unwind/unwinder.h"

namespace icecore {
namespace {

constexpr std::uint64_t codeAt = 0x140000000, codeSize = 0x3000;
constexpr std::uint64_t stackAt = 0x7ff000, stackSize = 0x1000;
constexpr std::uint64_t caller = codeAt + 0x1804;

class PeArm64 : public testing::Test {
protected:
    PeArm64() : bytes_(codeSize + stackSize) {
        put32(0x1800, 0xd63f0000);  // blr x0
    }
    void put32(std::size_t at, std::uint32_t value) { storeInteger(bytes_.data() + at, value); }
    void word(std::uint64_t offset, std::uint64_t value) {
        storeInteger(bytes_.data() + codeSize + offset, value);
    }
    /// An entry of .pdata.
    void function(std::uint32_t begin, std::uint32_t word) { functions_.push_back({begin, word}); }
    /// An .xdata record for a function of `instructions`, its codes as bytes, at 0x2000.
    void record(std::uint32_t begin, std::uint32_t instructions, std::vector<std::uint8_t> codes) {
        while (codes.size() % 4 != 0)
            codes.push_back(0xe3);
        put32(0x2000, instructions | static_cast<std::uint32_t>(codes.size() / 4) << 27U);
        for (std::size_t i = 0; i < codes.size(); ++i)
            bytes_[0x2004 + i] = static_cast<std::byte>(codes[i]);
        function(begin, 0x2000);
    }
    static Registers at(std::uint32_t pc, std::uint64_t sp, std::uint64_t link = 0) {
        Registers registers(Arch::arm64);
        registers.set(arm64::pc, codeAt + pc);
        registers.set(arm64::sp, stackAt + sp);
        registers.set(arm64::fp, stackAt + sp);
        registers.set(arm64::lr, link);
        return registers;
    }
    Stack unwind(const Registers& registers, std::size_t frames = 2) {
        const Range code = Range::ofSize(codeAt, codeSize);
        Process process =
            codeAndStack(Arch::arm64, code, Range::ofSize(stackAt, stackSize), bytes_);
        addFunctionTable(process, code, functions_);
        const Symbolizer symbolizer(process, SymbolOptions{});
        return Unwinder(process, symbolizer)
            .unwind(registers, UnwindOptions{.maxFrames = frames, .scan = false});
    }
    void expectCaller(const Stack& stack, std::uint64_t sp) {
        ASSERT_EQ(stack.frames.size(), 2U) << stack.note;
        EXPECT_EQ(stack.frames[1].pc, caller);
        EXPECT_EQ(stack.frames[1].sp, stackAt + sp);
        EXPECT_EQ(stack.frames[1].trust, Trust::unwind_info);
    }

    std::vector<std::byte> bytes_;
    std::vector<std::array<std::uint32_t, 2>> functions_;
};

TEST_F(PeArm64, ALeafHasNoEntry) {
    function(0x1100, 0x2000);
    expectCaller(unwind(at(0x1010, 0x100, caller)), 0x100);
}

TEST_F(PeArm64, SignedReturnAddressesLoseTheirCode) {
    // pacibsp; stp x29, lr, [sp, #-16]!; mov x29, sp
    record(0x1000, 0x20, {0xe1, 0x81, 0xfc, 0xe4});
    word(0x108, caller | 0x0025000000000000);
    expectCaller(unwind(at(0x1040, 0x100)), 0x110);
}

TEST_F(PeArm64, TrapFramesLeadToWhatWasInterrupted) {
    // The frame of a fault below a record of the handler: sub sp, sp, #32, then MSFT_OP_TRAP_FRAME.
    record(0x1000, 0x20, {0x02, 0xe8, 0xe4});
    const std::uint64_t trap = 0x120;
    word(trap + 0x98, stackAt + 0x800);
    word(trap + 0x138, 0x1234);
    word(trap + 0x140, stackAt + 0x900);
    word(trap + 0x148, codeAt + 0x1808);
    const Stack stack = unwind(at(0x1040, 0x100));
    ASSERT_EQ(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, codeAt + 0x1808);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x800);
    EXPECT_FALSE(stack.frames[1].pcIsReturnAddress) << "the instruction itself";
    EXPECT_EQ(stack.frames[1].trust, Trust::unwind_info);
    EXPECT_EQ(stack.frames[1].registers.get(arm64::fp), stackAt + 0x900);
}

TEST_F(PeArm64, SaveNextTakesThePairsThatFollow) {
    // stp x19, x20, [sp, #-64]!; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]; str lr, [sp,
    // #48]
    record(0x1000, 0x20, {0xd2, 0xc6, 0xe6, 0xe6, 0x28, 0xe4});
    for (std::uint64_t i = 0; i < 6; ++i)
        word(0x100 + 8 * i, 0x19 + i);
    word(0x130, caller);
    const Stack stack = unwind(at(0x1040, 0x100));
    expectCaller(stack, 0x140);
    for (std::uint64_t i = 0; i < 6; ++i)
        EXPECT_EQ(stack.frames[1].registers.get(static_cast<RegisterId>(19 + i)), 0x19 + i);
    // Two instructions in, only the first two pairs are there.
    Registers early = at(0x1008, 0x100, caller);
    early.set(23, 0x77);
    const Stack part = unwind(early);
    expectCaller(part, 0x140);
    EXPECT_EQ(part.frames[1].registers.get(22), 0x1cU);
    EXPECT_EQ(part.frames[1].registers.get(23), 0x77U);
}

TEST_F(PeArm64, LargeAllocationsAndFramePointers) {
    // stp x29, lr, [sp, #-32]!; add x29, sp, #8; sub sp, sp, #0x12340 (alloc_l)
    record(0x1000, 0x20, {0xe0, 0x00, 0x12, 0x34, 0xe2, 0x01, 0x83, 0xe4});
    word(0x208, caller);
    Registers registers = at(0x1040, 0x10);
    registers.set(arm64::fp, stackAt + 0x208);
    expectCaller(unwind(registers), 0x220);
}

TEST_F(PeArm64, SaveAnyRegister) {
    // str lr, [sp, #-16]! as save_any_reg: kind integer, pre-indexed, register 30, offset 0
    record(0x1000, 0x20, {0xe7, 0x3e, 0x00, 0xe4});
    word(0x100, caller);
    expectCaller(unwind(at(0x1040, 0x100)), 0x110);
}

TEST_F(PeArm64, ExceptionDispatchLeavesAContext) {
    record(0x1000, 0x20, {0xea, 0xe4});
    for (std::uint64_t i = 0; i <= 30; ++i)
        word(0x108 + 8 * i, 0x100 + i);
    word(0x108 + 31 * 8, stackAt + 0x800);
    word(0x108 + 32 * 8, codeAt + 0x1404);
    const Stack stack = unwind(at(0x1040, 0x100));
    ASSERT_EQ(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, codeAt + 0x1404);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x800);
    EXPECT_EQ(stack.frames[1].registers.get(19), 0x113U);
    EXPECT_FALSE(stack.frames[1].pcIsReturnAddress);
}

TEST_F(PeArm64, ACallThatNeverReturnsIsTheFunctionsLast) {
    // Of 8 instructions, the last a call: what it returns to is the next function.
    record(0x1000, 8, {0x81, 0xe4});
    function(0x1020, (4U << 2U) | 1U | (1U << 23U));
    put32(0x101c, 0xd63f0000);
    word(0x108, caller);
    const Stack stack = unwind(at(0x1100, 0x100, codeAt + 0x1020), 3);
    ASSERT_EQ(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, codeAt + 0x1020);
    EXPECT_EQ(stack.frames[2].pc, caller);
    EXPECT_EQ(stack.frames[2].sp, stackAt + 0x110);
}

TEST_F(PeArm64, DamagedRecordsEndTheWalk) {
    for (std::size_t at = 0; at < 8; ++at) {
        for (int value = 0; value < 256; ++value) {
            functions_.clear();
            record(0x1000, 0x20, {0xe1, 0x81, 0xfc, 0xe4});
            bytes_[0x2000 + at] = static_cast<std::byte>(value);
            EXPECT_LE(unwind(this->at(0x1040, 0x100)).frames.size(), 2U);
        }
    }
    for (std::uint32_t word = 1; word != 0; word = word * 5 + 2) {
        functions_.clear();
        function(0x1000, (word & ~3U) | 1U);
        EXPECT_LE(unwind(at(0x1004, 0x100)).frames.size(), 2U);
        if (word > 0xf0000000) break;
    }
}

}  // namespace
}  // namespace icecore
