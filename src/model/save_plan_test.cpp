// Plans for processes made by hand: the cases that a real one shows only now and then. What each
// flag does to a real process is tested in tests/dump_type_test.cpp.
#include "model/save_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "memory/segment_space.h"
#include "model/thread_stacks.h"

namespace icecore {
namespace {

constexpr std::uint64_t page = 4096, codeAt = 0x400000, heapAt = 0x800000, altAt = 0x900000,
                        threadStackAt = 0x7f0000000000, threadStackSize = 64 * page,
                        tlsAt = threadStackAt + threadStackSize - 0x900, hugeAt = 0x100000000000,
                        hugeSize = std::uint64_t{64} << 20, mainStackAt = 0x7ffe00000000;

Region region(std::uint64_t begin, std::uint64_t size, RegionKind kind, bool write = true,
              bool execute = false) {
    Region made;
    made.range = Range::ofSize(begin, size);
    made.protection = {true, write, execute, false};
    made.kind = kind;
    return made;
}

/// A worker thread whose stack pointer is `sp`, and memory that is zero but for `words`.
Process process(std::uint64_t sp,
                const std::vector<std::pair<std::uint64_t, std::uint64_t>>& words) {
    Process made;
    made.system.os = Os::linux_os;
    made.system.arch = Arch::x86_64;
    made.pid = 1;
    Thread thread;
    thread.id = 2;
    thread.tls = tlsAt;
    Context context{Registers(Arch::x86_64), {}, {}};
    context.registers.set(x64::rsp, sp);
    context.registers.set(x64::rip, codeAt + 0x800);
    thread.context = context;
    made.threads.items = {thread};
    made.regions.items = {region(codeAt, 2 * page, RegionKind::image, false, true),
                          region(heapAt, 16 * page, RegionKind::heap),
                          region(altAt, 4 * page, RegionKind::anonymous),
                          region(hugeAt, hugeSize, RegionKind::anonymous),
                          region(threadStackAt, threadStackSize, RegionKind::anonymous),
                          region(mainStackAt, 4 * page, RegionKind::stack)};
    std::vector<std::byte> bytes;
    for (const auto& [at, value] : words)
        appendInteger(bytes, value);
    SegmentSpaceBuilder some(memorySource(std::move(bytes), "words"));
    for (std::size_t i = 0; i < words.size(); ++i)
        some.addStored(Range::ofSize(words[i].first, 8), i * 8);
    SegmentSpaceBuilder zeros(memorySource({}, "zeros"));
    for (const Region& item : made.regions)
        zeros.addZero(item.range);
    made.memory = overlay(some.build(), zeros.build());
    return made;
}

bool covers(const SavePlan& plan, std::uint64_t address) {
    return std::ranges::any_of(
        plan.memory, [&](const SavePlan::Item& item) { return item.range.contains(address); });
}

TEST(SavePlan, AStackReachesFromTheRedZoneToItsMappingsEnd) {
    const std::uint64_t sp = threadStackAt + 10 * page;
    const auto stacks = threadStacks(process(sp, {}), true);
    ASSERT_EQ(stacks.size(), 1U);
    EXPECT_EQ(stacks[0], Range::between(sp - 128, threadStackAt + threadStackSize));
}

TEST(SavePlan, AnAlternateStackLeadsBackToTheInterruptedOne) {
    const std::uint64_t sp = altAt + 2 * page;
    const std::uint64_t interrupted = threadStackAt + 32 * page;
    // The signal frame names the interrupted stack pointer; other words point higher.
    const Process made =
        process(sp, {{sp + 0x100, interrupted + 0x500}, {sp + 0x1a0, interrupted}});
    const auto stacks = threadStacks(made, true);
    ASSERT_EQ(stacks.size(), 2U);
    EXPECT_EQ(stacks[0], Range::between(sp - 128, altAt + 4 * page));
    EXPECT_EQ(stacks[1], Range::between(interrupted - 128, threadStackAt + threadStackSize));
    const SavePlan plan = planSave(made, {});
    EXPECT_TRUE(covers(plan, interrupted));
    EXPECT_FALSE(covers(plan, interrupted - page));
}

TEST(SavePlan, ARunawayStackKeepsBothEnds) {
    const auto stacks = threadStacks(process(hugeAt + page, {}), true);
    ASSERT_EQ(stacks.size(), 2U);
    EXPECT_EQ(stacks[0], Range::ofSize(hugeAt + page - 128, stackYoungest));
    EXPECT_EQ(stacks[1], Range::between(hugeAt + hugeSize - stackOldest, hugeAt + hugeSize));
}

TEST(SavePlan, FilteredStacksKeepPointersToCodeAndStacks) {
    const std::uint64_t sp = threadStackAt + 10 * page;
    const Process made = process(
        sp,
        {{sp, codeAt + 5}, {sp + 8, sp + 64}, {sp + 16, heapAt}, {sp + 24, 0x1234567812345678}});
    SavePlan plan = planSave(made, *parseDumpType("FilterMemory"));
    const auto memory = memoryToSave(made, plan);
    EXPECT_EQ(memory->readInteger<std::uint64_t>(sp), codeAt + 5);
    EXPECT_EQ(memory->readInteger<std::uint64_t>(sp + 8), sp + 64);
    EXPECT_EQ(memory->readInteger<std::uint64_t>(sp + 16), 0U) << "the heap is no way to unwind";
    EXPECT_EQ(memory->readInteger<std::uint64_t>(sp + 24), 0U);
    // Reads that begin or end inside a word show the same.
    EXPECT_EQ(memory->readInteger<std::uint16_t>(sp + 1),
              static_cast<std::uint16_t>((codeAt + 5) >> 8));
    EXPECT_EQ(memory->readInteger<std::uint32_t>(sp + 26), 0U);
    EXPECT_TRUE(memory->window(sp).empty());
    plan.filterMemory = false;
    EXPECT_EQ(memoryToSave(made, plan), made.memory);
}

TEST(SavePlan, IndirectMemoryIsBoundedByItsMapping) {
    const std::uint64_t sp = threadStackAt + 10 * page;
    const Process made =
        process(sp, {{sp, heapAt + 100}, {sp + 8, heapAt + 8 * page}, {sp + 16, codeAt}});
    const SavePlan plan = planSave(made, *parseDumpType("WithIndirectlyReferencedMemory"));
    EXPECT_TRUE(covers(plan, heapAt)) << "nothing lies below the mapping";
    EXPECT_TRUE(covers(plan, heapAt + 100 + 767));
    EXPECT_FALSE(covers(plan, heapAt + 100 + 768));
    EXPECT_TRUE(covers(plan, heapAt + 8 * page - 256));
    EXPECT_FALSE(covers(plan, heapAt + 8 * page - 257));
    EXPECT_FALSE(covers(plan, codeAt)) << "code is not private data";
}

TEST(SavePlan, WhatMayNeverBeSaved) {
    Process made = process(threadStackAt + page, {});
    made.regions[1].dontDump = true;
    made.regions[2].io = true;
    made.regions[3].protection = {};
    made.regions[5].kind = RegionKind::special;
    const SavePlan plan = planSave(made, *parseDumpType("full|heap|WithCodeSegs"));
    EXPECT_TRUE(covers(plan, codeAt));
    EXPECT_TRUE(covers(plan, threadStackAt));
    for (const std::uint64_t never : {heapAt, altAt, hugeAt, mainStackAt})
        EXPECT_FALSE(covers(plan, never)) << never;
}

TEST(SavePlan, ItemsAreAscendingAndDisjoint) {
    const Process made = process(threadStackAt + page, {{threadStackAt + page, heapAt + page}});
    for (const DumpFlagInfo& info : dumpFlags()) {
        for (const DumpPreset& preset : dumpPresets()) {
            DumpType type = preset.type;
            type.flags |= static_cast<std::uint32_t>(info.flag);
            const SavePlan plan = planSave(made, type);
            std::uint64_t end = 0;
            for (const SavePlan::Item& item : plan.memory) {
                EXPECT_GE(item.range.begin(), end) << toString(type);
                EXPECT_FALSE(item.range.empty());
                end = item.range.end();
            }
        }
    }
}

TEST(SavePlan, NarrowedToWhatADumpHolds) {
    const Process made = process(threadStackAt + page, {});
    SavePlan plan = planSave(made, *parseDumpType("full"));
    SegmentSpaceBuilder builder(memorySource({}, "none"));
    builder.addZero(Range::ofSize(heapAt + page, 2 * page));
    builder.addAbsent(Range::ofSize(heapAt + 3 * page, page), Absence::not_captured);
    narrowTo(plan, *builder.build());
    ASSERT_EQ(plan.memory.size(), 1U);
    EXPECT_EQ(plan.memory[0].range, Range::ofSize(heapAt + page, 2 * page));
    EXPECT_EQ(plan.bytes(), 2 * page);
}

TEST(SavePlan, WithoutARegionListTheMemoryItselfCounts) {
    Process made = process(threadStackAt + 10 * page, {});
    made.regions.items.clear();
    const SavePlan full = planSave(made, *parseDumpType("WithFullMemory"));
    EXPECT_TRUE(covers(full, heapAt));
    const SavePlan normal = planSave(made, {});
    EXPECT_TRUE(covers(normal, threadStackAt + 11 * page));
    EXPECT_FALSE(covers(normal, heapAt));
}

}  // namespace
}  // namespace icecore
