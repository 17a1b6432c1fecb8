// Walks over stacks made by hand: no modules, so only what needs no tables.
#include "unwind/unwinder.h"

#include <gtest/gtest.h>

#include <random>

#include "base/text.h"
#include "bytes/source.h"
#include "memory/segment_space.h"
#include "unwind/cfi_finder.h"
#include "unwind/walk_progress.h"

namespace icecore {
namespace {

constexpr std::uint64_t codeAt = 0x400000, codeSize = 0x1000;
constexpr std::uint64_t stackAt = 0x7f0000000000, stackSize = 0x2000;
/// Behind an indirect call: a place to return to that fits any callee.
constexpr std::uint64_t afterCall = codeAt + 0x102;
constexpr std::uint64_t afterCall2 = codeAt + 0x202;
/// Without a call before.
constexpr std::uint64_t noCall = codeAt + 0x300;

/// A process of one code region and one stack.
class Fixture {
public:
    explicit Fixture(Arch arch = Arch::x86_64) : arch_(arch), bytes_(codeSize + stackSize) {
        if (arch == Arch::x86_64) {
            for (const std::uint64_t at : {afterCall, afterCall2}) {  // call rax
                bytes_[at - codeAt - 2] = std::byte{0xff};
                bytes_[at - codeAt - 1] = std::byte{0xd0};
            }
        } else {
            for (const std::uint64_t at : {codeAt + 0x104, codeAt + 0x204})  // blr x0
                storeInteger(bytes_.data() + (at - codeAt - 4), std::uint32_t{0xd63f0000});
        }
        process_.system.arch = arch;
        process_.system.os = Os::linux_os;
        addRegion(codeAt, codeSize, {true, false, true, false});
        addRegion(stackAt, stackSize, {true, true, false, false});
        process_.regions.coverage = Coverage::complete;
    }

    void word(std::uint64_t offset, std::uint64_t value) {
        storeInteger(bytes_.data() + codeSize + offset, value);
    }
    Process& process() { return process_; }

    /// `captured`: bytes of the stack that are in the dump, from its start.
    Stack unwind(const Registers& registers, const UnwindOptions& options = {},
                 std::uint64_t captured = stackSize) {
        SegmentSpaceBuilder builder(memorySource(bytes_, "test"));
        builder.addStored(Range::ofSize(codeAt, codeSize), 0);
        builder.addStored(Range::ofSize(stackAt, captured), codeSize);
        builder.addAbsent(Range::between(stackAt + captured, stackAt + stackSize),
                          Absence::not_captured);
        process_.memory = builder.build();
        const Symbolizer symbolizer(process_, SymbolOptions{});
        return Unwinder(process_, symbolizer).unwind(registers, options);
    }
    [[nodiscard]] Registers at(std::uint64_t pc, std::uint64_t spOffset,
                               std::uint64_t fpOffset) const {
        const ArchInfo& info = archInfo(arch_);
        Registers registers(arch_);
        registers.set(info.pc, pc);
        registers.set(info.sp, stackAt + spOffset);
        registers.set(info.fp, stackAt + fpOffset);
        return registers;
    }

private:
    void addRegion(std::uint64_t at, std::uint64_t size, Protection protection) {
        Region region;
        region.range = Range::ofSize(at, size);
        region.protection = protection;
        process_.regions.items.push_back(region);
    }

    Arch arch_;
    std::vector<std::byte> bytes_;
    Process process_;
};

TEST(Unwinder, FollowsFramePointersToTheEnd) {
    Fixture fixture;
    fixture.word(0x100, stackAt + 0x180);
    fixture.word(0x108, afterCall);
    fixture.word(0x180, 0);
    fixture.word(0x188, afterCall2);
    // The outermost record: no frame pointer, no return address.
    const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100));
    ASSERT_EQ(stack.frames.size(), 3U) << stack.note;
    EXPECT_EQ(stack.frames[0].trust, Trust::context);
    EXPECT_EQ(stack.frames[1].pc, afterCall);
    EXPECT_EQ(stack.frames[1].trust, Trust::frame_pointer);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x110);
    EXPECT_TRUE(stack.frames[1].pcIsReturnAddress);
    EXPECT_EQ(stack.frames[2].pc, afterCall2);
    EXPECT_EQ(stack.end, StackEnd::no_rule);
    EXPECT_NE(stack.note, "");
}

/// Code made at run time that the dump left out: no call can be seen before the return address,
/// and what the scan would find lies further up.
TEST(Unwinder, FollowsFramePointersThroughCodeThatIsNotInTheDump) {
    for (const Arch arch : {Arch::x86_64, Arch::arm64}) {
        Fixture fixture(arch);
        constexpr std::uint64_t madeAt = 0x500000;
        Region made;
        made.range = Range::ofSize(madeAt, 0x1000);
        made.protection = {true, false, true, false};
        fixture.process().regions.items.insert(fixture.process().regions.items.begin() + 1, made);
        const std::uint64_t returns = arch == Arch::arm64 ? codeAt + 0x104 : afterCall;
        fixture.word(0x100, stackAt + 0x180);
        fixture.word(0x108, madeAt + 0x40);
        fixture.word(0x180, stackAt + 0x200);
        fixture.word(0x188, madeAt + 0x80);
        fixture.word(0x200, 0);
        fixture.word(0x208, returns);
        const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100));
        ASSERT_EQ(stack.frames.size(), 4U) << stack.note;
        EXPECT_EQ(stack.frames[1].pc, madeAt + 0x40);
        EXPECT_EQ(stack.frames[2].pc, madeAt + 0x80);
        EXPECT_EQ(stack.frames[3].pc, returns);
        for (std::size_t i = 1; i < 4; ++i)
            EXPECT_EQ(stack.frames[i].trust, Trust::frame_pointer) << i;
        // A record that leads down the stack is none.
        fixture.word(0x100, stackAt + 0x40);
        EXPECT_NE(fixture.unwind(fixture.at(noCall, 0x80, 0x100)).frames.at(1).pc, madeAt + 0x40);
    }
}

TEST(Unwinder, AFrameRecordOfZerosIsTheEnd) {
    Fixture fixture;
    fixture.word(0x100, stackAt + 0x180);
    fixture.word(0x108, afterCall);
    const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100));
    ASSERT_EQ(stack.frames.size(), 2U);
    EXPECT_EQ(stack.end, StackEnd::complete);
    EXPECT_EQ(stack.note, "");
}

TEST(Unwinder, FramePointersThatGoRoundOrDownEnd) {
    for (const std::uint64_t next : {0x100U, 0x80U, 0x108U}) {
        Fixture fixture;
        fixture.word(0x100, stackAt + next);
        fixture.word(0x108, afterCall);
        const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100));
        EXPECT_EQ(stack.frames.size(), 2U) << hex(next);
    }
}

TEST(Unwinder, AFramePointerOutsideTheStackIsNotFollowed) {
    Fixture fixture;
    Registers registers = fixture.at(noCall, 0x80, 0);
    for (const std::uint64_t fp : {std::uint64_t{0}, stackAt + stackSize - 8, stackAt + 0x101,
                                   codeAt, UINT64_MAX, UINT64_MAX - 7}) {
        registers.set(x64::rbp, fp);
        EXPECT_EQ(fixture.unwind(registers).frames.size(), 1U) << hex(fp);
    }
}

TEST(Unwinder, ScansOnlyWhenAllowed) {
    Fixture fixture;
    fixture.word(0xa0, noCall);  // no call before it
    fixture.word(0xa8, afterCall);
    const Registers registers = fixture.at(noCall, 0x80, 0);
    const Stack stack = fixture.unwind(registers);
    ASSERT_GE(stack.frames.size(), 2U);
    EXPECT_EQ(stack.frames[1].pc, afterCall);
    EXPECT_EQ(stack.frames[1].trust, Trust::scan);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0xb0);
    UnwindOptions options;
    options.scan = false;
    EXPECT_EQ(fixture.unwind(registers, options).frames.size(), 1U);
}

TEST(Unwinder, NeverLeavesTheStack) {
    Fixture fixture;
    // The region above looks like a stack full of return addresses.
    Region above;
    above.range = Range::ofSize(stackAt + stackSize, 0x1000);
    above.protection = {true, true, false, false};
    fixture.process().regions.items.push_back(above);
    const Stack stack = fixture.unwind(fixture.at(noCall, stackSize - 16, 0));
    EXPECT_EQ(stack.frames.size(), 1U);
    EXPECT_EQ(stack.end, StackEnd::no_rule);
}

TEST(Unwinder, MissingMemoryIsSaidNotGuessedAround) {
    Fixture fixture;
    fixture.word(0x100, stackAt + 0x180);
    fixture.word(0x108, afterCall);
    fixture.word(0x188, afterCall2);
    const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100), {}, 0x110);
    ASSERT_EQ(stack.frames.size(), 2U);
    EXPECT_EQ(stack.end, StackEnd::unreadable);
    EXPECT_NE(stack.note.find(hex(stackAt + 0x110)), std::string::npos) << stack.note;
    EXPECT_NE(stack.note.find("not captured"), std::string::npos) << stack.note;
}

TEST(Unwinder, IsCutWhereAskedTo) {
    Fixture fixture;
    for (std::uint64_t i = 0; i < 50; ++i) {
        fixture.word(0x100 + i * 0x20, stackAt + 0x120 + i * 0x20);
        fixture.word(0x108 + i * 0x20, afterCall);
    }
    UnwindOptions options;
    options.maxFrames = 10;
    const Stack stack = fixture.unwind(fixture.at(noCall, 0x80, 0x100), options);
    EXPECT_EQ(stack.frames.size(), 10U);
    EXPECT_EQ(stack.end, StackEnd::limit);
}

TEST(Unwinder, ACallIntoNothingHasItsCallerOnTop) {
    Fixture fixture;
    fixture.word(0x80, afterCall);
    for (const std::uint64_t pc : {std::uint64_t{0}, stackAt + 8, std::uint64_t{0xdead0000}}) {
        const Stack stack = fixture.unwind(fixture.at(pc, 0x80, 0));
        ASSERT_GE(stack.frames.size(), 2U) << hex(pc);
        EXPECT_EQ(stack.frames[1].pc, afterCall);
        EXPECT_EQ(stack.frames[1].trust, Trust::scan);
        EXPECT_EQ(stack.frames[1].sp, stackAt + 0x88);
    }
}

TEST(Unwinder, OnArm64TheLinkRegisterTells) {
    Fixture fixture(Arch::arm64);
    fixture.word(0x100, 0);
    fixture.word(0x108, 0);
    Registers registers = fixture.at(0, 0x80, 0x100);
    // Signed by pointer authentication: the bits above the address do not count.
    registers.set(arm64::lr, 0x0055000000000000 | (codeAt + 0x104));
    const Stack stack = fixture.unwind(registers);
    ASSERT_EQ(stack.frames.size(), 2U) << stack.note;
    EXPECT_EQ(stack.frames[1].pc, codeAt + 0x104);
    EXPECT_EQ(stack.frames[1].sp, stackAt + 0x80);
    EXPECT_EQ(stack.end, StackEnd::complete);
}

TEST(Unwinder, NothingKnownGivesNothing) {
    Fixture fixture;
    EXPECT_TRUE(fixture.unwind(Registers{}).frames.empty());
    Thread thread;
    const Symbolizer symbolizer(fixture.process(), SymbolOptions{});
    EXPECT_TRUE(Unwinder(fixture.process(), symbolizer).unwind(thread).frames.empty());
}

/// Stacks of noise that leads everywhere: each walk ends, goes up, and stays inside.
TEST(Unwinder, WalksOverNoiseEnd) {
    std::mt19937_64 random(4711);
    for (const Arch arch : {Arch::x86_64, Arch::arm64}) {
        for (int round = 0; round < 100; ++round) {
            Fixture fixture(arch);
            const std::array<std::uint64_t, 6> values = {codeAt + 0x104, afterCall, afterCall2,
                                                         codeAt + 0x204, 0,         UINT64_MAX};
            for (std::uint64_t at = 0; at < stackSize; at += 8) {
                const std::uint64_t choice = random() % 10;
                fixture.word(at, choice < values.size() ? values[choice]
                                                        : stackAt + random() % (stackSize + 64));
            }
            Registers registers = fixture.at(codeAt + random() % codeSize, random() % stackSize,
                                             random() % stackSize & ~7ULL);
            if (arch == Arch::arm64) registers.set(arm64::lr, values[random() % values.size()]);
            const Stack stack = fixture.unwind(registers);
            ASSERT_LE(stack.frames.size(), 1024U);
            for (std::size_t i = 1; i < stack.frames.size(); ++i) {
                const bool leaf = arch == Arch::arm64 && i <= 2;
                ASSERT_TRUE(stack.frames[i].sp > stack.frames[i - 1].sp ||
                            (leaf && stack.frames[i].sp == stack.frames[i - 1].sp));
                ASSERT_LE(stack.frames[i].sp, stackAt + stackSize);
            }
        }
    }
}

Step stepTo(Arch arch, std::uint64_t pc, std::uint64_t sp, Trust trust) {
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = trust;
    step.caller = Registers(arch);
    step.caller.set(archInfo(arch).pc, pc);
    step.caller.set(archInfo(arch).sp, sp);
    return step;
}

WalkFrame frameAt(Arch arch, std::uint64_t pc, std::uint64_t sp) {
    return {stepTo(arch, pc, sp, Trust::cfi).caller, true, false};
}

TEST(WalkProgress, GoesUpOrToANewStack) {
    const Arch arch = Arch::x86_64;
    WalkProgress progress(0x1000);
    EXPECT_TRUE(
        progress.accept(frameAt(arch, 1, 0x1000), stepTo(arch, 2, 0x1008, Trust::cfi), false));
    EXPECT_FALSE(
        progress.accept(frameAt(arch, 2, 0x1008), stepTo(arch, 3, 0x1008, Trust::cfi), false));
    EXPECT_FALSE(
        progress.accept(frameAt(arch, 2, 0x1008), stepTo(arch, 3, 0x1000, Trust::cfi), false));
    // To another stack and back to where it has been.
    EXPECT_TRUE(
        progress.accept(frameAt(arch, 2, 0x1008), stepTo(arch, 3, 0x500, Trust::cfi), true));
    EXPECT_FALSE(
        progress.accept(frameAt(arch, 3, 0x510), stepTo(arch, 4, 0x1000, Trust::cfi), true));
    EXPECT_FALSE(
        progress.accept(frameAt(arch, 3, 0x510), stepTo(arch, 4, 0x508, Trust::cfi), true));
    // A guess never changes stacks.
    EXPECT_FALSE(
        progress.accept(frameAt(arch, 3, 0x510), stepTo(arch, 4, 0x100, Trust::scan), true));
}

TEST(WalkProgress, ChangesOfStacksAreBounded) {
    const Arch arch = Arch::x86_64;
    WalkProgress progress(0x100000);
    std::uint64_t sp = 0x100000;
    int changes = 0;
    while (changes < 1000 &&
           progress.accept(frameAt(arch, 1, sp), stepTo(arch, 2, sp - 0x100, Trust::cfi), true)) {
        sp -= 0x100;
        ++changes;
    }
    EXPECT_EQ(changes, 64);
}

TEST(WalkProgress, LeavesOfArm64HaveNoStackTwiceAtMost) {
    const Arch arch = Arch::arm64;
    WalkProgress progress(0x1000);
    const auto same = [&](std::uint64_t from, std::uint64_t to) {
        return progress.accept(frameAt(arch, from, 0x1000), stepTo(arch, to, 0x1000, Trust::cfi),
                               false);
    };
    EXPECT_FALSE(same(4, 4));
    EXPECT_TRUE(same(4, 8));
    EXPECT_TRUE(same(8, 4));
    EXPECT_FALSE(same(4, 8));
}

}  // namespace
}  // namespace icecore
