// Stacks of dumps without code, as Windows' and Breakpad's are when no module's file is at hand.
#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/source.h"
#include "memory/segment_space.h"
#include "unwind/unwinder.h"

namespace icecore {
namespace {

constexpr std::uint64_t programAt = 0x400000, systemAt = 0x7c800000, stackAt = 0x120000,
                        stackSize = 0x1000;

class UnseenCode : public testing::Test {
protected:
    UnseenCode() : bytes_(stackSize) {
        process_.system.arch = Arch::x86;
        process_.system.os = Os::windows;
        for (const auto& [at, name] :
             {std::pair(programAt, "program.exe"), std::pair(systemAt, "system.dll")}) {
            Module module;
            module.range = Range::ofSize(at, 0x20000);
            module.path = name;
            process_.modules.items.push_back(module);
        }
    }
    void word(std::uint64_t offset, std::uint32_t value) {
        storeInteger(bytes_.data() + offset, value);
    }
    Stack unwind(std::uint64_t sp, std::uint64_t fp, const UnwindOptions& options = {}) {
        std::vector<std::byte> file = bytes_;
        file.insert(file.end(), code_.begin(), code_.end());
        SegmentSpaceBuilder builder(memorySource(std::move(file), "test"));
        builder.addStored(Range::ofSize(stackAt, stackSize), 0);
        if (!code_.empty()) builder.addStored(Range::ofSize(codeAt_, code_.size()), stackSize);
        process_.memory = builder.build();
        const Symbolizer symbolizer(process_, SymbolOptions{});
        Registers registers(Arch::x86);
        registers.set(x86::eip, systemAt + 0x5000);
        registers.set(x86::esp, stackAt + sp);
        registers.set(x86::ebp, stackAt + fp);
        Thread thread;
        thread.context = Context{registers, {}, {}};
        thread.stack = Range::ofSize(stackAt, stackSize);
        return Unwinder(process_, symbolizer).unwind(thread, options);
    }

    std::vector<std::byte> bytes_, code_;
    std::uint64_t codeAt_ = 0;
    Process process_;
};

TEST_F(UnseenCode, FrameRecordsAreFollowed) {
    word(0x100, stackAt + 0x180);
    word(0x104, programAt + 0x1dff);
    word(0x180, stackAt + 0x200);
    word(0x184, systemAt + 0x6304);
    word(0x200, 0);
    word(0x204, 0);
    const Stack stack = unwind(0x80, 0x100);
    ASSERT_EQ(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, programAt + 0x1dff);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x108);
    EXPECT_EQ(stack.frames[1].trust, Trust::frame_pointer);
    EXPECT_EQ(stack.frames[2].pc, systemAt + 0x6304);
    EXPECT_EQ(stack.end, StackEnd::complete);
}

TEST_F(UnseenCode, WithoutARecordTheStackIsLookedThroughAShortWay) {
    word(0x84, stackAt + 0x300);     // a pointer into the stack
    word(0x88, programAt + 0x10);    // into the headers
    word(0x8c, programAt + 0x3010);  // to data, by its looks
    word(0x90, programAt + 0x2345);
    const Stack stack = unwind(0x80, 0x3);
    ASSERT_GE(stack.frames.size(), 2U);
    EXPECT_EQ(stack.frames[1].pc, programAt + 0x2345);
    EXPECT_EQ(stack.frames[1].trust, Trust::scan);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x94);
    // Too far away, it is nobody's.
    word(0x90, 0);
    word(0x80 + 4 * 41, programAt + 0x2345);
    EXPECT_EQ(unwind(0x80, 0x3).frames.size(), 1U);
}

/// As in threads of Breakpad's stack_exhaustion.dmp: _except_handler4 in each function's record.
TEST_F(UnseenCode, HandlersOfExceptionRecordsAreNoReturnAddresses) {
    word(0x84, stackAt + 0x200);     // the next record
    word(0x88, systemAt + 0x1f3dd);  // its handler
    word(0x8c, 0xee9a37);            // a table, with the cookie in it
    word(0x90, 0xfffffffe);
    word(0x9c, programAt + 0x2345);
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, programAt + 0x2345);
    // C++'s: the state follows at once. The last record ends with -1.
    word(0x84, 0xffffffff);
    word(0x8c, 2);
    word(0x90, 0xee9a37);
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, programAt + 0x2345);
    // Without a record around it the same word is as good as any.
    word(0x84, 5);
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, systemAt + 0x1f3dd);
    word(0x84, stackAt + 0x200);
    word(0x8c, 0xee9a37);
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, systemAt + 0x1f3dd);
    // Linux has no such records.
    word(0x90, 0xfffffffe);
    process_.system.os = Os::linux_os;
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, systemAt + 0x1f3dd);
}

TEST_F(UnseenCode, GuessUponGuessEnds) {
    for (std::uint64_t at = 0x90; at < 0xe00; at += 0x20)
        word(at, programAt + 0x2345);
    const Stack stack = unwind(0x80, 0x3);
    EXPECT_EQ(stack.frames.size(), 13U);
    EXPECT_EQ(stack.end, StackEnd::no_rule);
    EXPECT_NE(stack.note.find("12 frames in a row are guesses"), std::string::npos) << stack.note;
}

TEST_F(UnseenCode, BehindWhatIsKnownToBeDataIsNoCode) {
    word(0x84, programAt + 0x5105);  // to data, by what was thrown
    word(0x88, programAt + 0x2345);
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, programAt + 0x5105);
    Exception thrown;
    thrown.code = 0xe06d7363;
    thrown.parameters = {0x19930520, stackAt + 0x300, programAt + 0x5000};
    process_.exception = thrown;
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, programAt + 0x2345);
    // Of another module it says nothing.
    process_.exception->parameters[2] = systemAt + 0x5000;
    EXPECT_EQ(unwind(0x80, 0x3).frames.at(1).pc, programAt + 0x5105);
}

TEST_F(UnseenCode, TheRecordWithoutAnotherAboveItIsTheLast) {
    word(0x100, 0);
    word(0x104, programAt + 0x1dff);
    word(0x110, programAt + 0x1dff);  // left over
    const Stack stack = unwind(0x80, 0x100);
    EXPECT_EQ(stack.frames.size(), 2U);
    EXPECT_EQ(stack.end, StackEnd::complete);
}

/// As of Breakpad's linux_inline.dmp: main's caller has something else in the frame pointer.
TEST_F(UnseenCode, ARecordWithoutASavedFramePointerComesLast) {
    word(0x400, programAt + 0x11120);
    word(0x404, systemAt + 0x6d0a);
    const Stack stack = unwind(0x80, 0x400);
    ASSERT_GE(stack.frames.size(), 2U);
    EXPECT_EQ(stack.frames[1].pc, systemAt + 0x6d0a);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x408);
    EXPECT_EQ(stack.frames[1].trust, Trust::frame_pointer);
    // A word that is nearer comes first, and data is no return address.
    word(0x90, programAt + 0x2345);
    EXPECT_EQ(unwind(0x80, 0x400).frames.at(1).pc, programAt + 0x2345);
    word(0x90, 0);
    word(0x404, systemAt + 0x6d00);
    EXPECT_EQ(unwind(0x80, 0x400).frames.size(), 1U);
}

/// As in Windows' dumps, which hold the bytes around each thread's instruction: a call that is seen
/// is a witness although nothing tells what the module's sections are (Breakpad's
/// stack_exhaustion.dmp).
TEST_F(UnseenCode, CallsThatAreSeenCountWhereNobodyTellsWhatIsCode) {
    constexpr std::uint64_t codeAt = systemAt + 0x5000 - 0x80;
    code_.assign(0x100, std::byte{0x90});
    // call -5: to the function that begins with it, which calls itself.
    for (std::size_t i = 0; const int byte : {0xe8, 0xfb, 0xff, 0xff, 0xff})
        code_[0x60 + i++] = static_cast<std::byte>(byte);
    codeAt_ = codeAt;
    const auto returnsTo = static_cast<std::uint32_t>(codeAt + 0x65);
    word(0x84, programAt + 0x2345);
    word(0x100, stackAt + 0x180);
    word(0x104, returnsTo);
    word(0x180, stackAt + 0x200);
    word(0x184, returnsTo);
    word(0x200, 0);
    word(0x204, 0);
    const Stack stack = unwind(0x80, 0x100);
    ASSERT_EQ(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, returnsTo);
    EXPECT_EQ(stack.frames[2].pc, returnsTo);
    EXPECT_EQ(stack.end, StackEnd::complete);
}

/// A register that points to zeros in the innermost frame ends nothing (linux_stacksmash.dmp).
TEST_F(UnseenCode, ZerosAtTheFramePointerOfTheInnermostFrameEndNothing) {
    word(0x90, programAt + 0x2345);
    const Stack stack = unwind(0x80, 0x100);
    ASSERT_GE(stack.frames.size(), 2U);
    EXPECT_EQ(stack.frames[1].pc, programAt + 0x2345);
}

/// x64 with CET, without tables and code: what the processor kept is the return address.
class ShadowStacks : public testing::Test {
protected:
    static constexpr std::uint64_t codeAt = 0x140000000, stack = 0x20000, shadow = 0x30000;
    ShadowStacks() : bytes_(0x1000), shadowBytes_(0x100) {
        process_.system.arch = Arch::x86_64;
        process_.system.os = Os::windows;
        Module module;
        module.range = Range::ofSize(codeAt, 0x20000);
        module.path = "program.exe";
        process_.modules.items.push_back(module);
    }
    void word(std::uint64_t offset, std::uint64_t value) {
        storeInteger(bytes_.data() + offset, value);
    }
    void kept(std::initializer_list<std::uint64_t> values) {
        std::uint64_t at = 0;
        for (const std::uint64_t value : values)
            storeInteger(shadowBytes_.data() + 8 * at++, value);
    }
    std::vector<std::uint64_t> unwind(Registers* earlier = nullptr) {
        std::vector<std::byte> file = bytes_;
        file.insert(file.end(), shadowBytes_.begin(), shadowBytes_.end());
        SegmentSpaceBuilder builder(memorySource(std::move(file), "test"));
        builder.addStored(Range::ofSize(stack, bytes_.size()), 0);
        builder.addStored(Range::ofSize(shadow, shadowBytes_.size()), bytes_.size());
        process_.memory = builder.build();
        Registers registers(Arch::x86_64);
        registers.set(x64::rip, codeAt + 0x5000);
        registers.set(x64::rsp, stack + 0x100);
        Thread thread;
        thread.id = 7;
        thread.context = Context{registers, {}, {}};
        thread.stack = Range::ofSize(stack, bytes_.size());
        const Symbolizer symbolizer(process_, SymbolOptions{});
        Unwinder unwinder(process_, symbolizer);
        unwinder.useShadowStacks({{7, shadow}});
        UnwindOptions options;
        options.scan = false;
        const Stack found = earlier != nullptr ? unwinder.unwindFrom(thread, *earlier, options)
                                               : unwinder.unwind(thread, options);
        std::vector<std::uint64_t> pcs;
        pcs.reserve(found.frames.size());
        trusts_.clear();
        trusts_.reserve(found.frames.size());
        for (const Frame& frame : found.frames) {
            pcs.push_back(frame.pc - codeAt);
            trusts_.push_back(frame.trust);
        }
        return pcs;
    }

    std::vector<std::byte> bytes_, shadowBytes_;
    std::vector<Trust> trusts_;  ///< of the frames last found
    Process process_;
};
using Offsets = std::vector<std::uint64_t>;

TEST_F(ShadowStacks, TellReturnAddresses) {
    word(0x108, codeAt + 0x1111);  // left over
    word(0x140, codeAt + 0x2222);
    word(0x300, codeAt + 0x3338);  // a multiple of eight, which guesses take for a pointer to data
    kept({codeAt + 0x2222, codeAt + 0x3338});
    EXPECT_EQ(unwind(), (Offsets{0x5000, 0x2222, 0x3338}));
    EXPECT_EQ(trusts_, (std::vector{Trust::context, Trust::shadow_stack, Trust::shadow_stack}));
    EXPECT_EQ(toString(Trust::shadow_stack), "shadow-stack");
}

TEST_F(ShadowStacks, OfAnExceptionAreNewerThanItsRegisters) {
    word(0x80, codeAt + 0x4444);  // below the stack pointer
    word(0x140, codeAt + 0x2222);
    kept({codeAt + 0x4444, codeAt + 0x2222});
    EXPECT_EQ(unwind(), (Offsets{0x5000, 0x2222}));
    // The registers of the exception itself, while the thread's own stand elsewhere.
    Registers registers(Arch::x86_64);
    registers.set(x64::rip, codeAt + 0x6000);
    registers.set(x64::rsp, stack + 0x120);
    EXPECT_EQ(unwind(&registers), (Offsets{0x6000, 0x2222}));
}

TEST_F(ShadowStacks, SayNothingThatTheStackDoesNotHave) {
    word(0x140, codeAt + 0x2222);
    kept({codeAt + 0x2222, codeAt + 0x9999, codeAt + 0x2222});
    EXPECT_EQ(unwind(), (Offsets{0x5000, 0x2222}));
    kept({1, 2, 3});
    EXPECT_EQ(unwind(), (Offsets{0x5000}));
}

TEST(UnseenMacCode, AWaitingThreadOfMacOsReturnsToTheTopOfItsStack) {
    constexpr std::uint64_t kernelAt = 0x7fff202d8000, libraryAt = 0x7fff201e3000,
                            top = 0x700007c6fe58;
    Process process;
    process.system.arch = Arch::x86_64;
    process.system.os = Os::macos;
    for (const auto& [at, name] : {std::pair(kernelAt, "/usr/lib/system/libsystem_kernel.dylib"),
                                   std::pair(libraryAt, "/usr/lib/system/libsystem_c.dylib"),
                                   std::pair(0x102a54000UL, "/app")}) {
        Module module;
        module.range = Range::ofSize(at, 0x84000);
        module.path = name;
        process.modules.items.push_back(module);
    }
    std::ranges::sort(process.modules.items, {},
                      [](const Module& module) { return module.range.begin(); });
    std::vector<std::byte> bytes(0x100);
    storeInteger<std::uint64_t>(bytes.data(), libraryAt + 0x78c1a);
    storeInteger<std::uint64_t>(bytes.data() + 0x38, top + 0xa8);
    storeInteger<std::uint64_t>(bytes.data() + 0x40, 0x102ad7e82);
    SegmentSpaceBuilder builder(memorySource(bytes, "test"));
    builder.addStored(Range::ofSize(top, bytes.size()), 0);
    process.memory = builder.build();
    Registers registers(Arch::x86_64);
    registers.set(x64::rip, kernelAt + 0x3ba2);
    registers.set(x64::rsp, top);
    registers.set(x64::rbp, top + 0x38);
    Thread thread;
    thread.context = Context{registers, {}, {}};
    thread.stack = Range::ofSize(top, bytes.size());
    const Symbolizer symbolizer(process, SymbolOptions{});
    const Stack stack = Unwinder(process, symbolizer).unwind(thread, {});
    ASSERT_GE(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, libraryAt + 0x78c1a);
    EXPECT_EQ(stack.frames[2].pc, 0x102ad7e82U);
    EXPECT_EQ(stack.frames[2].sp, top + 0x48);
}

TEST_F(UnseenCode, RecordsThatLeadDownAreNone) {
    word(0x100, stackAt + 0x40);
    word(0x104, programAt + 0x1dff);
    const Stack stack = unwind(0xf0, 0x100);
    // The word is found, as a guess of the weaker kind.
    ASSERT_GE(stack.frames.size(), 2U);
    EXPECT_EQ(stack.frames[1].trust, Trust::scan);
}

TEST_F(UnseenCode, ScansCanBeAskedAway) {
    word(0x90, programAt + 0x2345);
    UnwindOptions options;
    options.scan = false;
    EXPECT_EQ(unwind(0x80, 0x3, options).frames.size(), 1U);
}

}  // namespace
}  // namespace icecore
