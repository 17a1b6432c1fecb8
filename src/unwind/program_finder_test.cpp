// Stacks by Breakpad's symbol files: STACK WIN and STACK CFI, and x86's exception dispatch.
#include <gtest/gtest.h>

#include <fstream>

#include "support/scratch.h"
#include "unwind/code_and_stack.h"
#include "unwind/unwinder.h"

namespace icecore {
namespace {

constexpr std::uint64_t base = 0x400000, codeSize = 0x2000;
constexpr std::uint64_t stackAt = 0x100000, stackSize = 0x1000;

/// A module of which there is a symbol file alone; its code is all `call` instructions, so that
/// every address is one to return to.
class Programs : public testing::Test {
protected:
    Stack unwind(Arch arch, const std::string& records, const Registers& registers,
                 const std::string& file = "app.exe") {
        const std::string stem = file.substr(0, file.find('.'));
        const std::string id = "000102030405060708090A0B0C0D0E0F1";
        const std::filesystem::path folder(scratch_.file(stem + ".pdb/" + id));
        std::filesystem::create_directories(folder);
        std::ofstream(folder / (stem + ".sym"))
            << "MODULE windows " << (arch == Arch::x86 ? "x86" : "x86_64") << " " << id << " "
            << stem << ".pdb\n"
            << records;
        std::vector<std::byte> bytes(codeSize);
        for (std::size_t i = 0; i + 1 < codeSize; i += 2) {  // call eax
            bytes[i] = std::byte{0xff};
            bytes[i + 1] = std::byte{0xd0};
        }
        bytes.insert(bytes.end(), stack_.begin(), stack_.end());
        Process process = codeAndStack(arch, Range::ofSize(base, codeSize),
                                       Range::ofSize(stackAt, stackSize), std::move(bytes));
        Module module;
        module.range = Range::ofSize(base, codeSize);
        module.path = "C:\\" + file;
        module.timestamp = 1;
        module.imageSize = codeSize;
        module.id.kind = ModuleId::Kind::pdb;
        for (const int byte : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15})
            module.id.bytes.push_back(static_cast<std::byte>(byte));
        module.id.age = 1;
        module.debugFile = stem + ".pdb";
        process.modules.items.push_back(module);
        SymbolOptions options;
        options.path = scratch_.file("");
        options.useDefaultPaths = false;
        const Symbolizer symbolizer(process, options);
        return Unwinder(process, symbolizer).unwind(registers, UnwindOptions{.scan = false});
    }
    void word(std::uint64_t offset, std::uint32_t value) {
        storeInteger(stack_.data() + offset, value);
    }
    static Registers x86At(std::uint32_t pc, std::uint64_t sp, std::uint64_t bp) {
        Registers registers(Arch::x86);
        registers.set(x86::eip, base + pc);
        registers.set(x86::esp, stackAt + sp);
        registers.set(x86::ebp, stackAt + bp);
        registers.set(x86::ebx, 0xb);
        return registers;
    }

    const tests::Scratch scratch_;
    std::vector<std::byte> stack_ = std::vector<std::byte>(stackSize);
};

TEST_F(Programs, StackWinOfBothKinds) {
    // inner: FrameData, 12 bytes of locals, 4 of saved registers, 8 of parameters.
    // outer: FPO with EBP used for something else: 8 of locals, EBX and EBP saved.
    const std::string records =
        "FUNC 1000 40 8 inner\nFUNC 1100 40 0 outer\n"
        "STACK WIN 4 1000 40 5 0 8 4 c 0 1 $T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + = $ebx $T0 4 "
        "- ^ =\n"
        "STACK WIN 0 1100 40 5 0 0 8 8 0 0 1\n";
    word(0x10 + 12, 0x77);           // inner saved EBX
    word(0x10 + 16, base + 0x1110);  // returns into outer
    // Outer's stack: inner's two arguments, its saved registers (EBP, EBX), locals, return address.
    word(0x24 + 8, stackAt + 0x900);
    word(0x24 + 12, 0x88);
    word(0x24 + 8 + 8 + 8, base + 0x1800);
    const Stack stack = unwind(Arch::x86, records, x86At(0x1010, 0x10, 0x800));
    ASSERT_GE(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, base + 0x1110);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x24);
    EXPECT_EQ(stack.frames[1].registers.get(x86::ebx), 0x77U);
    EXPECT_EQ(stack.frames[1].trust, Trust::unwind_info);
    EXPECT_EQ(stack.frames[2].pc, base + 0x1800);
    EXPECT_EQ(stack.frames[2].sp, stackAt + 0x24 + 28);
    EXPECT_EQ(stack.frames[2].registers.get(x86::ebp), stackAt + 0x900);
    EXPECT_EQ(stack.frames[2].trust, Trust::unwind_info);
}

TEST_F(Programs, TheReturnAddressIsLookedForAboveWhatWasPushed) {
    const std::string records =
        "FUNC 1000 40 0 inner\nSTACK WIN 4 1000 40 0 0 0 0 4 0 1 $T0 .raSearch = $eip $T0 ^ = $esp "
        "$T0 4 + =\n";
    word(0x10 + 4, 5);  // pushed for a call that has not happened yet
    word(0x10 + 8, base + 0x1800);
    const Stack stack = unwind(Arch::x86, records, x86At(0x1010, 0x10, 0));
    ASSERT_GE(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, base + 0x1800);
    EXPECT_EQ(stack.frames[1].trust, Trust::scan) << "not where the layout says";
}

TEST_F(Programs, StackCfi) {
    const std::string records =
        "FUNC 1000 40 0 inner\nSTACK CFI INIT 1000 40 .cfa: $rsp 8 + .ra: .cfa 8 - ^\n"
        "STACK CFI 1004 .cfa: $rsp 32 + $rbx: .cfa 16 - ^\n";
    Registers registers(Arch::x86_64);
    registers.set(x64::rip, base + 0x1010);
    registers.set(x64::rsp, stackAt + 0x10);
    registers.set(x64::rbx, 1);
    word(0x20, 0x99);
    word(0x28, base + 0x1800);
    const Stack stack = unwind(Arch::x86_64, records, registers);
    ASSERT_GE(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, base + 0x1800);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x30);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x99U);
    EXPECT_EQ(stack.frames[1].trust, Trust::cfi);
}

TEST_F(Programs, ExceptionDispatchOnX86) {
    const std::string records = "PUBLIC 1200 8 KiUserExceptionDispatcher\nPUBLIC 1300 0 Next\n";
    // Four words further up: an EXCEPTION_RECORD and the CONTEXT of who was interrupted.
    word(0x20, stackAt + 0x80);
    word(0x24, stackAt + 0x100);
    word(0x100, 0x1007f);
    word(0x100 + 0xb8, base + 0x1403);
    word(0x100 + 0xc4, stackAt + 0x700);
    word(0x100 + 0xa4, 0x55);
    const Stack stack = unwind(Arch::x86, records, x86At(0x1210, 0x10, 0), "ntdll.dll");
    ASSERT_GE(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, base + 0x1403);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x700);
    EXPECT_EQ(stack.frames[1].registers.get(x86::ebx), 0x55U);
    EXPECT_FALSE(stack.frames[1].pcIsReturnAddress);
}

TEST_F(Programs, ExceptionDispatchOnX64) {
    const std::string records = "PUBLIC 1200 0 KiUserExceptionDispatcher\nPUBLIC 1300 0 Next\n";
    word(0x40 + 0x30, 0x10000b);
    word(0x40 + 0x90, 0x55);             // rbx
    word(0x40 + 0x78, 0x44);             // rax, which no call preserves
    word(0x40 + 0x98, stackAt + 0x900);  // rsp
    word(0x40 + 0xf8, base + 0x1403);    // rip
    word(0x40 + 0x4f0 + 0x10, base + 0x1403);
    Registers registers(Arch::x86_64);
    registers.set(x64::rip, base + 0x1210);
    registers.set(x64::rsp, stackAt + 0x40);
    const Stack stack = unwind(Arch::x86_64, records, registers, "ntdll.dll");
    ASSERT_GE(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, base + 0x1403);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x900);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rbx), 0x55U);
    EXPECT_EQ(stack.frames[1].registers.get(x64::rax), 0x44U);
    EXPECT_EQ(stack.frames[1].trust, Trust::unwind_info);
    EXPECT_FALSE(stack.frames[1].pcIsReturnAddress);
    // Of another exception than the record's: somebody else's stack.
    word(0x40 + 0x4f0 + 0x10, base + 0x1404);
    const Stack other = unwind(Arch::x86_64, records, registers, "ntdll.dll");
    EXPECT_TRUE(other.frames.size() < 2 || other.frames[1].trust != Trust::unwind_info);
}

}  // namespace
}  // namespace icecore
