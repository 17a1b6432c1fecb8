// Unwinding by tables of x64 Windows: every code, each by a stack made by hand. The tables are
// those that a program registers for code of its own, so that no image is needed.
#include <gtest/gtest.h>

#include "unwind/code_and_stack.h"
#include "unwind/unwinder.h"

namespace icecore {
namespace {

constexpr std::uint64_t codeAt = 0x140000000, codeSize = 0x2000;
constexpr std::uint64_t stackAt = 0x7ff000, stackSize = 0x4000;
constexpr std::uint64_t caller = codeAt + 0x1802;  ///< behind a call, in a function without codes

enum Op : std::uint8_t {
    push,
    allocLarge,
    allocSmall,
    setFrame,
    save,
    saveFar,
    epilog,
    spare,
    xmm,
    xmmFar,
    machine
};

class PeUnwind : public testing::Test {
protected:
    PeUnwind() : bytes_(codeSize + stackSize) {
        for (std::size_t i = 0; i < codeSize; ++i)
            bytes_[i] = std::byte{0x90};
        // The caller: `sub rsp, 8`, then `call rax`.
        bytes_[0x1800] = std::byte{0xff};
        bytes_[0x1801] = std::byte{0xd0};
        function(0x17f0, 0x1900, unwindInfo(0x1f00, {.prologue = 4, .codes = {4, 0x02}}));
    }

    struct Info {
        std::uint8_t version = 1, flags = 0, prologue = 0, frame = 0, frameOffset = 0;
        std::vector<std::uint8_t> codes;  ///< two bytes each: offset in the prologue, code
    };
    /// Puts the information at `at`; the address again.
    std::uint32_t unwindInfo(std::uint32_t at, const Info& info) {
        put(at, {static_cast<std::uint8_t>(info.version | info.flags << 3U), info.prologue,
                 static_cast<std::uint8_t>(info.codes.size() / 2),
                 static_cast<std::uint8_t>(info.frame | info.frameOffset << 4U)});
        put(at + 4, info.codes);
        return at;
    }
    void put(std::size_t at, const std::vector<std::uint8_t>& what) {
        for (std::size_t i = 0; i < what.size(); ++i)
            bytes_[at + i] = std::byte{what[i]};
    }
    void put32(std::size_t at, std::uint32_t value) { storeInteger(bytes_.data() + at, value); }
    void function(std::uint32_t begin, std::uint32_t end, std::uint32_t info) {
        functions_.push_back({begin, end, info});
    }
    void word(std::uint64_t offset, std::uint64_t value) {
        storeInteger(bytes_.data() + codeSize + offset, value);
    }

    /// One code of one function of 0x100 bytes at 0x1000.
    static std::uint8_t code(Op op, std::uint8_t info) {
        return static_cast<std::uint8_t>(op | info << 4U);
    }
    static Registers at(std::uint32_t pc, std::uint64_t sp) {
        Registers registers(Arch::x86_64);
        registers.set(x64::rip, codeAt + pc);
        registers.set(x64::rsp, stackAt + sp);
        return registers;
    }

    Stack unwind(const Registers& registers) {
        const Range code = Range::ofSize(codeAt, codeSize);
        Process process =
            codeAndStack(Arch::x86_64, code, Range::ofSize(stackAt, stackSize), bytes_);
        addFunctionTable(process, code, functions_);
        const Symbolizer symbolizer(process, SymbolOptions{});
        UnwindOptions options;
        options.scan = false;
        return Unwinder(process, symbolizer).unwind(registers, options);
    }
    /// That the second frame is the caller, found by the tables, with this stack pointer.
    void expectCaller(const Stack& stack, std::uint64_t sp) {
        ASSERT_GE(stack.frames.size(), 2U) << stack.note;
        EXPECT_EQ(stack.frames[1].pc, caller);
        EXPECT_EQ(stack.frames[1].sp, stackAt + sp);
        EXPECT_EQ(stack.frames[1].trust, Trust::unwind_info);
    }

    std::vector<std::byte> bytes_;
    std::vector<std::array<std::uint32_t, 3>> functions_;
};

TEST_F(PeUnwind, PushesAndSmallAllocations) {
    // push rbx; push rdi; sub rsp, 0x28
    function(0x1000, 0x1100,
             unwindInfo(0x1e00,
                        {.prologue = 6,
                         .codes = {6, code(allocSmall, 4), 2, code(push, 7), 1, code(push, 3)}}));
    word(0x128, 0x77);
    word(0x130, 0x33);
    word(0x138, caller);
    const Stack stack = unwind(at(0x1050, 0x100));
    expectCaller(stack, 0x140);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x33);
    // Preserved by Windows' convention, and not by that of Unix.
    EXPECT_EQ(stack.frames[1].registers.get(x64::rdi), 0x77);
}

TEST_F(PeUnwind, WhatThePrologueHasNotDoneYetIsNotUndone) {
    function(0x1000, 0x1100,
             unwindInfo(0x1e00,
                        {.prologue = 6,
                         .codes = {6, code(allocSmall, 4), 2, code(push, 7), 1, code(push, 3)}}));
    word(0x100, 0x33);
    word(0x108, caller);
    const Stack stack = unwind(at(0x1001, 0x100));  // behind push rbx
    expectCaller(stack, 0x110);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x33);
    word(0x100, caller);
    expectCaller(unwind(at(0x1000, 0x100)), 0x108);
}

TEST_F(PeUnwind, LargeAllocationsInBothForms) {
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.prologue = 7, .codes = {7, code(allocLarge, 0), 0x40, 0}}));
    function(
        0x1100, 0x1200,
        unwindInfo(0x1e20, {.prologue = 7, .codes = {7, code(allocLarge, 1), 0x08, 0x10, 0, 0}}));
    word(0x300, caller);
    expectCaller(unwind(at(0x1050, 0x100)), 0x308);
    word(0x1108, caller);
    expectCaller(unwind(at(0x1150, 0x100)), 0x1110);
}

TEST_F(PeUnwind, AFrameRegisterRemembersTheStackPointer) {
    // push rbp; sub rsp, 0x30; lea rbp, [rsp+0x20]; then the stack pointer moves (alloca).
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.prologue = 10,
                                 .frame = 5,
                                 .frameOffset = 2,
                                 .codes = {10, code(setFrame, 0), 5, code(allocSmall, 5), 1,
                                           code(push, 5)}}));
    Registers registers = at(0x1050, 0x40);
    registers.set(x64::rbp, stackAt + 0x120);  // sp behind the prologue was 0x100
    word(0x130, 0x5555);
    word(0x138, caller);
    const Stack stack = unwind(registers);
    expectCaller(stack, 0x140);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbp), 0x5555);
}

TEST_F(PeUnwind, SavedRegistersNearAndFar) {
    // sub rsp, 0x1008; mov [rsp+0x30], rsi; mov [rsp+0x800], r12; movaps [rsp+0x40], xmm6
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.prologue = 30, .codes = {30,   code(xmm, 6),
                                                           4,    0,
                                                           28,   code(xmmFar, 7),
                                                           0x50, 0,
                                                           0,    0,
                                                           20,   code(saveFar, 12),
                                                           0x00, 0x08,
                                                           0,    0,
                                                           12,   code(save, 6),
                                                           6,    0,
                                                           7,    code(allocLarge, 1),
                                                           0x08, 0x10,
                                                           0,    0}}));
    word(0x130, 0x66);
    word(0x900, 0x1212);
    word(0x1108, caller);
    const Stack stack = unwind(at(0x1050, 0x100));
    expectCaller(stack, 0x1110);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rsi), 0x66);
    EXPECT_EQ(stack.frames[1].registers.get(x64::r12), 0x1212);
}

TEST_F(PeUnwind, ChainedEntriesAreUndoneWhole) {
    // The second part of a function saves rsi; the first pushed rbx and freed 0x20.
    unwindInfo(0x1e00, {.prologue = 5, .codes = {5, code(allocSmall, 3), 1, code(push, 3)}});
    function(0x1000, 0x1080, 0x1e00);
    unwindInfo(0x1e20, {.flags = 4, .prologue = 4, .codes = {4, code(save, 6), 2, 0}});
    put32(0x1e28, 0x1000);
    put32(0x1e2c, 0x1080);
    put32(0x1e30, 0x1e00);
    function(0x1080, 0x1100, 0x1e20);
    word(0x110, 0x66);
    word(0x120, 0x33);
    word(0x128, caller);
    const Stack stack = unwind(at(0x10c0, 0x100));
    expectCaller(stack, 0x130);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rsi), 0x66);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x33);
}

TEST_F(PeUnwind, ChainsThatGoInCirclesEnd) {
    unwindInfo(0x1e00, {.flags = 4, .prologue = 0, .codes = {}});
    put32(0x1e04, 0x1000);
    put32(0x1e08, 0x1100);
    put32(0x1e0c, 0x1e00);
    function(0x1000, 0x1100, 0x1e00);
    const Stack stack = unwind(at(0x1050, 0x100));
    EXPECT_EQ(stack.frames.size(), 1U);
    EXPECT_EQ(stack.end, StackEnd::no_rule);
}

TEST_F(PeUnwind, EntriesThatStandForOthers) {
    unwindInfo(0x1e00, {.prologue = 4, .codes = {4, code(allocSmall, 1)}});
    put32(0x1e40, 0x1000);
    put32(0x1e44, 0x1100);
    put32(0x1e48, 0x1e00);
    function(0x1000, 0x1100, 0x1e41);
    word(0x110, caller);
    expectCaller(unwind(at(0x1050, 0x100)), 0x118);
}

TEST_F(PeUnwind, MachineFramesLeadToTheInterruptedCode) {
    for (const bool errorCode : {false, true}) {
        function(0x1000, 0x1100,
                 unwindInfo(0x1e00, {.prologue = 0,
                                     .codes = {0, code(allocSmall, 0), 0,
                                               code(machine, errorCode ? 1 : 0)}}));
        word(0x108 + (errorCode ? 8U : 0U), codeAt + 0x1880);
        word(0x120 + (errorCode ? 8U : 0U), stackAt + 0x400);
        const Stack stack = unwind(at(0x1050, 0x100));
        ASSERT_GE(stack.frames.size(), 2U) << stack.note;
        EXPECT_EQ(stack.frames[1].pc, codeAt + 0x1880);
        EXPECT_EQ(stack.frames[1].sp, stackAt + 0x400);
        EXPECT_FALSE(stack.frames[1].pcIsReturnAddress);
        functions_.pop_back();
    }
}

TEST_F(PeUnwind, ALeafHasNoEntry) {
    word(0x100, caller);
    expectCaller(unwind(at(0x1250, 0x100)), 0x108);
}

TEST_F(PeUnwind, InTheEpilogueTheCodeIsRun) {
    // push rbx; push r12; sub rsp, 0x28 … add rsp, 0x28; pop r12; pop rbx; ret
    function(0x1000, 0x1100,
             unwindInfo(0x1e00,
                        {.prologue = 7,
                         .codes = {7, code(allocSmall, 4), 3, code(push, 12), 1, code(push, 3)}}));
    put(0x10f0, {0x48, 0x83, 0xc4, 0x28, 0x41, 0x5c, 0x5b, 0xc3});
    word(0x128, 0x1212);
    word(0x130, 0x33);
    word(0x138, caller);
    const struct {
        std::uint32_t pc;
        std::uint64_t sp;
        bool pops12, pops3;
    } places[] = {{0x10f0, 0x100, true, true},
                  {0x10f4, 0x128, true, true},
                  {0x10f6, 0x130, false, true},
                  {0x10f7, 0x138, false, false}};
    for (const auto& place : places) {
        SCOPED_TRACE(place.pc);
        Registers registers = at(place.pc, place.sp);
        registers.set(x64::r12, 0x1212);
        registers.set(x64::rbx, 0x33);
        if (place.pops12) registers.set(x64::r12, 1);
        if (place.pops3) registers.set(x64::rbx, 2);
        const Stack stack = unwind(registers);
        expectCaller(stack, 0x140);
        EXPECT_EQ(stack.frames[1].registers.get(x64::r12), 0x1212);
        EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x33);
    }
}

TEST_F(PeUnwind, AJumpEndsAnEpilogueOnlyWhenItLeavesTheFunction) {
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.prologue = 4, .codes = {4, code(allocSmall, 4)}}));
    function(0x1200, 0x1300, unwindInfo(0x1e20, {.prologue = 0, .codes = {}}));
    put(0x1060, {0x48, 0x83, 0xc4, 0x28, 0xe9, 0x97, 0x01, 0, 0});  // jmp 0x1200: a tail call
    put(0x1080, {0xeb, 0x10});                                      // a jump inside
    word(0x128, caller);
    expectCaller(unwind(at(0x1064, 0x128)), 0x130);
    expectCaller(unwind(at(0x1080, 0x100)), 0x130);
}

TEST_F(PeUnwind, VersionTwoDescribesEpilogues) {
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.version = 2,
                                 .prologue = 5,
                                 .codes = {1, code(epilog, 1), 0x20, code(epilog, 0), 5,
                                           code(allocSmall, 3), 1, code(push, 3)}}));
    word(0x120, 0x33);
    word(0x128, caller);
    const Stack stack = unwind(at(0x1050, 0x100));
    expectCaller(stack, 0x130);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x33);
    // The epilogue it describes, 0x20 bytes before the end: add rsp, 0x20; pop rbx; ret.
    put(0x10e0, {0x48, 0x83, 0xc4, 0x20, 0x5b, 0xc3});
    const struct {
        std::uint32_t pc;
        std::uint64_t sp;
    } places[] = {{0x10e0, 0x100}, {0x10e4, 0x120}, {0x10e5, 0x128}};
    for (const auto& place : places) {
        SCOPED_TRACE(place.pc);
        Registers registers = at(place.pc, place.sp);
        registers.set(x64::rbx, 0x33);
        const Stack inside = unwind(registers);
        expectCaller(inside, 0x130);
        EXPECT_EQ(inside.frames[1].registers.get(x64::rbx), 0x33);
    }
}

TEST_F(PeUnwind, DamagedInformationLeadsNowhere) {
    // Cut in the middle of a code, an operation nobody knows, a version nobody knows.
    const Info broken[] = {{.prologue = 7, .codes = {7, code(allocLarge, 1), 8, 0}},
                           {.prologue = 7, .codes = {7, 0x0f}},
                           {.version = 5, .prologue = 1, .codes = {1, code(push, 3)}}};
    for (const Info& info : broken) {
        function(0x1000, 0x1100, unwindInfo(0x1e00, info));
        word(0x100, caller);
        word(0x108, caller);
        EXPECT_EQ(unwind(at(0x1050, 0x100)).frames.size(), 1U);
        functions_.pop_back();
    }
    function(0x1000, 0x1100, 0xfffffff0);  // outside of everything
    EXPECT_EQ(unwind(at(0x1050, 0x100)).frames.size(), 1U);
}

TEST_F(PeUnwind, MissingStackIsNamed) {
    function(0x1000, 0x1100,
             unwindInfo(0x1e00, {.prologue = 7, .codes = {7, code(allocLarge, 1), 0, 0, 1, 0}}));
    const Stack stack = unwind(at(0x1050, 0x100));
    EXPECT_EQ(stack.frames.size(), 1U);
    EXPECT_NE(stack.note, "");
}

}  // namespace
}  // namespace icecore
