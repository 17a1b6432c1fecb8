#include "analysis/waits.h"

#include <gtest/gtest.h>

#include "analysis/blame.h"
#include "analysis/skip_rules.h"
#include "memory/segment_space.h"

namespace icecore {
namespace {

Process threads(std::initializer_list<std::uint64_t> ids) {
    Process process;
    for (const std::uint64_t id : ids) {
        Thread thread;
        thread.id = id;
        process.threads.items.push_back(thread);
    }
    return process;
}

std::vector<Activity> waiting(std::initializer_list<std::uint64_t> forWhom) {
    std::vector<Activity> activities;
    for (const std::uint64_t id : forWhom) {
        Activity activity;
        if (id != 0) activity.waitsFor = id;
        activities.push_back(activity);
    }
    return activities;
}

using Circles = std::vector<std::vector<std::size_t>>;

TEST(Deadlocks, AreFoundOnceAndBeginWithTheSmallestId) {
    // 10 → 30 → 20 → 10; 40 waits for one of them; 50 for nobody.
    const Process process = threads({30, 10, 20, 40, 50});
    EXPECT_EQ(findDeadlocks(process, waiting({20, 30, 10, 10, 0})), (Circles{{1, 0, 2}}));
}

TEST(Deadlocks, OfOneThreadAndOfTwoPairs) {
    EXPECT_EQ(findDeadlocks(threads({1}), waiting({1})), (Circles{{0}}));
    EXPECT_EQ(findDeadlocks(threads({1, 2, 3, 4}), waiting({2, 1, 4, 3})),
              (Circles{{0, 1}, {2, 3}}));
}

TEST(Deadlocks, ChainsAreNone) {
    EXPECT_EQ(findDeadlocks(threads({1, 2, 3}), waiting({2, 3, 0})), Circles{});
    EXPECT_EQ(findDeadlocks(threads({1, 2}), waiting({99, 99})), Circles{});  // unknown owner
}

NamedFrame frame(const Module* module, std::string function, Trust trust = Trust::cfi) {
    NamedFrame one;
    one.module = module;
    one.function = std::move(function);
    one.trust = trust;
    return one;
}

/// Two threads of Windows that wait for each other's mutex, as handles with object information
/// tell.
class Mutexes : public testing::Test {
protected:
    static constexpr std::uint64_t stackAt = 0x10000, stackSize = 0x1000, mineAt = 0x100;
    Mutexes() : bytes_(2 * stackSize) {
        Process& process = snapshot_.process.emplace();
        process.system.os = Os::windows;
        process.system.arch = Arch::x86_64;
        system_.path = "C:\\windows\\system32\\ntdll.dll";
        program_.path = "C:\\program.exe";
        for (std::uint64_t i = 0; i < 2; ++i) {
            Thread thread;
            thread.id = 0x11 * (i + 1);
            Registers registers(Arch::x86_64);
            registers.set(x64::rip, 0x7000);
            registers.set(x64::rsp, stackAt + i * stackSize + mineAt);
            thread.context = Context{registers, {}, {}};
            process.threads.items.push_back(thread);
            Handle handle;
            handle.value = 0x60 + 4 * i;
            handle.type = "Mutant";
            process.handles.items.push_back(handle);
        }
        owners("60 11\n64 22\n");
        process.handles.items[0].name = "\\BaseNamedObjects\\first";
    }
    void owners(std::string text) {
        snapshot_.attachments = {{"handles/owners", SharedBytes::own(std::move(text))}};
    }
    void word(std::size_t thread, std::uint64_t offset, std::uint64_t value) {
        storeInteger(bytes_.data() + thread * stackSize + mineAt + offset, value);
    }
    std::vector<Activity> activities(const char* outer = "WaitForSingleObject") {
        Process& process = *snapshot_.process;
        SegmentSpaceBuilder builder(memorySource(bytes_, "stacks"));
        builder.addStored(Range::ofSize(stackAt, bytes_.size()), 0);
        process.memory = builder.build();
        SymbolOptions options;
        options.useDefaultPaths = false;
        const Symbolizer symbolizer(process, options);
        const CrashCase crash{snapshot_, process, symbolizer, process.memory, nullptr};
        std::vector<Activity> all;
        for (std::size_t i = 0; i < 2; ++i) {
            NamedStack stack;
            stack.frames = {frame(&system_, "NtWaitForSingleObject"), frame(&system_, outer),
                            frame(&program_, "work")};
            const std::uint64_t sp = stackAt + i * stackSize + mineAt;
            stack.frames[0].sp = sp;
            stack.frames[1].sp = sp + 0x40;
            stack.frames[2].sp = sp + 0x80;
            all.push_back(activityOf(crash, process.threads[i], stack));
        }
        return all;
    }

    std::vector<std::byte> bytes_;
    Snapshot snapshot_;
    Module system_, program_;
};

TEST_F(Mutexes, WhoeverWaitsForOneWaitsForItsOwner) {
    word(0, 0x48, 0x64);
    word(1, 0x98, 0x60);  // in the home space that the program left
    const auto all = activities();
    EXPECT_EQ(all[0].text, "waiting for the mutex held by thread 34");
    EXPECT_EQ(all[1].text, "waiting for the mutex \\BaseNamedObjects\\first held by thread 17");
    EXPECT_EQ(all[1].evidence,
              "thread 34 waits for the mutex \\BaseNamedObjects\\first with the handle 0x60, whose "
              "owner is thread 17");
    EXPECT_EQ(findDeadlocks(*snapshot_.process, all), (Circles{{0, 1}}));
}

TEST_F(Mutexes, NobodyIsAccusedWithoutAHandleOrWithTwo) {
    word(0, 0x48, 0x60);  // its own
    word(1, 0xd0, 0x60);  // in the program's part of the stack
    snapshot_.process->threads.items.push_back(snapshot_.process->threads.items[0]);
    snapshot_.process->threads.items.back().id = 99;
    for (const auto& activity : activities()) {
        EXPECT_EQ(activity.text, "waiting for an object");
        EXPECT_FALSE(activity.waitsFor);
    }
    owners("60 11\n64 22\n68 63\ngarbage\n70\n");
    word(1, 0x48, 0x60);
    EXPECT_EQ(activities()[1].waitsFor, 17U);
    word(1, 0x50, 0x68);
    EXPECT_FALSE(activities()[1].waitsFor) << "one of the two";
    // Who waits for any of several waits for none in particular.
    word(1, 0x50, 0);
    EXPECT_FALSE(activities("WaitForMultipleObjects")[1].waitsFor);
}

/// The loader's lock of the PEB, held by a thread that waits for a section whose owner loads a
/// library.
TEST_F(Mutexes, DeadlocksThroughTheLoaderLock) {
    constexpr std::uint64_t peb = 0x800, loaderLock = 0xa00, section = 0xa40;
    const auto put = [&](std::uint64_t at, auto value) { storeInteger(bytes_.data() + at, value); };
    snapshot_.process->peb = stackAt + peb;
    put(peb + 0x110, std::uint64_t{stackAt + loaderLock});
    const auto held = [&](std::uint64_t at, std::uint64_t owner) {
        put(at, UINT64_MAX);  // no debug information
        put(at + 8, std::int32_t{-2});
        put(at + 12, std::int32_t{1});
        put(at + 16, owner);
    };
    held(loaderLock, 0x11);
    held(section, 0x22);
    word(0, 0x48, stackAt + section);
    word(1, 0x48, stackAt + loaderLock);
    const auto all = activities("RtlEnterCriticalSection");
    EXPECT_EQ(all[0].text, "waiting for a critical section held by thread 34");
    EXPECT_EQ(all[1].text, "waiting for the loader lock held by thread 17");
    EXPECT_NE(all[1].evidence.find("the loader lock at 0x10a00, whose owner is thread 17"),
              std::string::npos)
        << all[1].evidence;
    EXPECT_EQ(findDeadlocks(*snapshot_.process, all), (Circles{{0, 1}}));
}

struct Modules {
    Module libc, program;
    Modules() {
        libc.path = "/lib/libc.so.6";
        program.path = "/opt/program";
    }
};

TEST(Blame, PassesOverTheRunTime) {
    const Modules modules;
    NamedStack stack;
    stack.frames = {frame(&modules.libc, "__pthread_kill_implementation"),
                    frame(&modules.libc, "abort"), frame(&modules.program, "std::vector<int>::at"),
                    frame(&modules.program, "Shop::sell"), frame(&modules.program, "main")};
    const Blame blame = findBlame(stack);
    EXPECT_EQ(blame.frame, 3U);
    EXPECT_TRUE(blame.certainRules);
    EXPECT_EQ(blame.skipped, 3U);
}

TEST(Blame, OfNothingButRunTimeIsTheTopAndUncertain) {
    const Modules modules;
    NamedStack stack;
    stack.frames = {frame(nullptr, ""), frame(&modules.libc, "memcpy"), frame(&modules.libc, "")};
    const Blame blame = findBlame(stack);
    EXPECT_EQ(blame.frame, 1U);
    EXPECT_FALSE(blame.certainRules);
}

TEST(Blame, OfAnAbortInAHandlerLiesBehindTheSignal) {
    const Modules modules;
    NamedStack stack;
    stack.frames = {frame(&modules.libc, "abort"), frame(&modules.program, "crash_reporter"),
                    frame(&modules.libc, "__restore_rt"), frame(&modules.program, "real_culprit")};
    stack.frames[2].signalFrame = true;
    EXPECT_EQ(blameStart(stack, true), 3U);
    EXPECT_EQ(findBlame(stack, blameStart(stack, true)).frame, 3U);
    EXPECT_EQ(blameStart(stack, false), 0U);
}

TEST(SkipRules, SayWhyAndSpareTheProgram) {
    const Modules modules;
    for (const char* skipped :
         {"raise", "__assert_fail", "operator new", "_Unwind_Resume", "std::terminate",
          "__memmove_avx_unaligned_erms", "__stack_chk_fail"})
        EXPECT_TRUE(whyNotResponsible(frame(&modules.program, skipped))) << skipped;
    for (const char* kept : {"main", "abortController", "standard::run", "freeze", "killer",
                             "blend_sse2", "my_chk", ""})
        EXPECT_FALSE(whyNotResponsible(frame(&modules.program, kept))) << kept;
    EXPECT_TRUE(whyNotResponsible(frame(&modules.libc, "")));
    EXPECT_TRUE(whyNotResponsible(frame(nullptr, "")));
}

TEST(Groups, ByProgramCountersAndWhatAllOfThemDo) {
    std::vector<NamedStack> stacks(3);
    std::vector<Activity> activities(3);
    for (std::size_t i = 0; i < 3; ++i) {
        stacks[i].threadId = i;
        stacks[i].stack.frames.resize(2);
        stacks[i].stack.frames[0].pc = i == 0 ? 1 : 7;
    }
    activities[1].text = "waiting for a mutex held by thread 5";
    activities[2].text = "waiting for a mutex held by thread 6";
    const auto groups = groupThreads(stacks, activities);
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].members, (std::vector<std::size_t>{1, 2}));
    EXPECT_EQ(groups[0].activity, "waiting for a mutex");
    EXPECT_EQ(groups[1].activity, "");
}

}  // namespace
}  // namespace icecore
