#include "analysis/waits.h"

#include <gtest/gtest.h>

#include "analysis/blame.h"
#include "analysis/skip_rules.h"

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
