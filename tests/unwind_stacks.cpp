// Stacks of every shape: the functions we know are there, and what gdb and eu-stack say of the
// same core. docs/unwinding.md explains each difference.
#include <gmock/gmock.h>

#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

/// What another tool is expected to say.
enum class Other {
    same,    ///< the very same frames
    prefix,  ///< it stops early: the first frames of ours
    longer,  ///< it goes on beyond the end: ours are its first frames
    bogus,   ///< it shows frames that are not there: not compared
    extra,   ///< as ours, with a frame more for a pc that is not code
};

struct Scenario {
    const char* program;
    const char* name;
    std::vector<std::string> functions;  ///< innermost first; the start of the crashing stack
    std::vector<Trust> trusts;           ///< of as many frames as are listed
    Other gdb = Other::same;
    Other eu = Other::same;
    StackEnd end = StackEnd::complete;
};

std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
    return out << scenario.name;
}

void compare(const std::vector<std::uint64_t>& ours, std::vector<std::uint64_t> theirs, Other how,
             const Process& process) {
    switch (how) {
    case Other::same: EXPECT_EQ(ours, theirs); return;
    case Other::prefix:
        ASSERT_LT(theirs.size(), ours.size());
        EXPECT_TRUE(std::equal(theirs.begin(), theirs.end(), ours.begin()));
        return;
    case Other::longer:
        ASSERT_GT(theirs.size(), ours.size());
        EXPECT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin()));
        return;
    case Other::extra:
        std::erase_if(theirs, [&](std::uint64_t pc) { return process.moduleAt(pc) == nullptr; });
        EXPECT_EQ(ours, theirs);
        return;
    case Other::bogus: return;
    }
}

class UnwindStacks : public testing::TestWithParam<Scenario> {};

TEST_P(UnwindStacks, AreTheOnesWeKnow) {
    const Scenario& scenario = GetParam();
    const TemporaryFolder folder;
    const std::string core = folder.file("core");
    const std::string program = target(scenario.program);
    const Stacks gdb = runUnderGdb(folder, program + " " + scenario.name, core);
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok()) << "no core of " << program << " " << scenario.name;

    // The thread that crashed is the first one of gdb's cores.
    const Thread& thread = dump.process().threads[0];
    const Stack stack = dump.unwinder->unwind(thread);
    SCOPED_TRACE(describe(stack, dump));
    EXPECT_EQ(stack.end, scenario.end);
    auto names = dump.namesOf(stack);
    ASSERT_GE(names.size(), scenario.functions.size());
    names.resize(scenario.functions.size());
    // In the frame of a call to nothing there is no name to compare.
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (scenario.functions[i] == "*") names[i] = "*";
    }
    EXPECT_EQ(names, scenario.functions);
    if (scenario.end == StackEnd::complete && scenario.functions.back() == "main") {
        EXPECT_EQ(dump.nameOf(stack.frames.back()), "_start");
    }
    for (std::size_t i = 0; i < scenario.trusts.size(); ++i) {
        EXPECT_EQ(toString(stack.frames[i].trust), toString(scenario.trusts[i])) << i;
    }
    for (std::size_t i = 1; i < stack.frames.size(); ++i) {
        if (!stack.frames[i - 1].signalFrame) {
            EXPECT_GT(stack.frames[i].sp, stack.frames[i - 1].sp) << i;
        }
    }

    const Stacks ours = dump.stacks();
    ASSERT_TRUE(gdb.contains(thread.id));
    {
        SCOPED_TRACE("gdb");
        compare(ours.at(thread.id), gdb.at(thread.id), scenario.gdb, dump.process());
    }
    const Stacks eu = euStack(core, program);
    ASSERT_TRUE(eu.contains(thread.id));
    {
        SCOPED_TRACE("eu-stack");
        compare(ours.at(thread.id), eu.at(thread.id), scenario.eu, dump.process());
    }
    // Every other thread is an ordinary one: all three agree.
    for (const auto& [id, pcs] : ours) {
        if (id == thread.id) continue;
        EXPECT_EQ(pcs, gdb.at(id)) << "thread " << id;
        EXPECT_EQ(pcs, eu.at(id)) << "thread " << id;
    }
}

constexpr auto context = Trust::context;
constexpr auto cfi = Trust::cfi;
constexpr auto fp = Trust::frame_pointer;
constexpr auto scan = Trust::scan;

const std::vector<Scenario> crashes = {
    {"unwind_crash",
     "recursion",
     {"at_crash", "at_recursion", "at_recursion"},
     {context, cfi, cfi}},
    {"unwind_crash",
     "noreturn",
     {"*", "raise", "abort", "at_die", "at_noreturn", "at_main", "main"},
     {}},
    {"unwind_crash",
     "null-call",
     {"*", "at_call_null", "at_main", "main"},
     {context, scan, cfi},
     Other::same,
     Other::prefix},
    {"unwind_crash",
     "wild-call",
     {"*", "at_call_null", "at_main", "main"},
     {context, scan, cfi},
     Other::same,
     Other::prefix},
    {"unwind_crash",
     "aligned-vla",
     {"at_crash", "at_sink", "at_aligned_vla", "at_main", "main"},
     {}},
    {"unwind_crash", "alloca", {"at_crash", "at_sink", "at_alloca", "at_main", "main"}, {}},
    {"unwind_crash",
     "tail-call",
     {"at_crash", "at_tail_last", "at_tail_first", "at_main", "main"},
     {}},
    {"unwind_crash", "throw", {"*", "raise", "abort"}, {}},
    {"unwind_crash", "noexcept", {"*", "raise", "abort"}, {}},
    {"unwind_crash", "handler", {"at_crash", "at_handler_work", "at_handler"}, {}},
    {"unwind_crash", "altstack", {"at_crash", "at_handler_work", "at_handler"}, {}},
    {"unwind_crash",
     "interrupted",
     {"at_crash", "at_handler_work", "at_handler", "*", "at_spin", "at_interrupted", "at_main",
      "main"},
     {context, cfi, cfi, cfi, cfi, cfi}},
    {"unwind_crash",
     "smashed",
     {"at_crash", "at_smashed", "at_main", "main"},
     {context, cfi, scan, cfi},
     Other::extra,
     Other::bogus},
    {"unwind_crash",
     "coroutine",
     {"at_crash", "at_coroutine_work", "at_coroutine", "__start_context"},
     {context, cfi, cfi, cfi},
     Other::longer,
     Other::same},
    {"unwind_asm",
     "bare-leaf",
     {"at_bare_leaf", "at_run", "main"},
     {context, fp, cfi},
     Other::same,
     Other::prefix},
    {"unwind_asm",
     "bare-pushes",
     {"at_bare_pushes", "at_run", "main"},
     {context, scan, cfi},
     Other::bogus,
     Other::prefix},
    {"unwind_asm",
     "bare-calls",
     {"at_bare_leaf", "at_bare_calls", "at_run", "main"},
     {context, fp, scan, cfi},
     Other::bogus,
     Other::prefix},
    {"unwind_asm",
     "framed-calls",
     {"at_framed_inner", "at_framed_calls", "at_run", "main"},
     {context, fp, fp, cfi}},
    {"unwind_asm",
     "framed-entry",
     {"at_framed_entry", "at_run", "main"},
     {context, fp, cfi},
     Other::same,
     Other::prefix},
    {"unwind_asm",
     "framed-pushed",
     {"at_framed_pushed", "at_run", "main"},
     {context, fp, cfi},
     Other::same,
     Other::prefix},
    {"unwind_asm",
     "framed-exit",
     {"at_framed_exit", "at_run", "main"},
     {context, scan, cfi},
     Other::bogus,
     Other::prefix},
};

INSTANTIATE_TEST_SUITE_P(Scenarios, UnwindStacks, testing::ValuesIn(crashes), [](const auto& each) {
    std::string name = each.param.name;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(UnwindOverflow, AStackOverflowIsCutWhereAskedTo) {
    const TemporaryFolder folder;
    const std::string core = folder.file("core");
    runUnderGdb(folder, target("unwind_crash") + " overflow", core);
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    const Thread& thread = dump.process().threads[0];
    UnwindOptions options;
    options.maxFrames = 50;
    const Stack cut = dump.unwinder->unwind(thread, options);
    EXPECT_EQ(cut.end, StackEnd::limit);
    EXPECT_EQ(cut.frames.size(), 50U);
    options.maxFrames = 1'000'000;
    const Stack whole = dump.unwinder->unwind(thread, options);
    SCOPED_TRACE(whole.note);
    EXPECT_EQ(whole.end, StackEnd::complete);
    EXPECT_GT(whole.frames.size(), 10'000U);
    EXPECT_EQ(dump.nameOf(whole.frames.back()), "_start");
    for (std::size_t i = 0; i + 6 < whole.frames.size(); ++i)
        ASSERT_EQ(whole.frames[i].registers.has(x64::rbx), true) << i;
}

TEST(UnwindThreads, EveryWaitingThreadIsSeenAsGdbAndEuStackSeeIt) {
    const TemporaryFolder folder;
    const std::string core = folder.file("core");
    const std::string program = target("unwind_threads");
    const Stacks gdb = runUnderGdb(folder, program + " 20", core);
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    ASSERT_EQ(dump.process().threads.size(), 25U);
    const Stacks ours = dump.stacks();
    EXPECT_EQ(ours, gdb);
    EXPECT_EQ(ours, euStack(core, program));
    std::vector<std::string> seen;
    for (const Thread& thread : dump.process().threads) {
        const Stack stack = dump.unwinder->unwind(thread);
        EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
        EXPECT_EQ(stack.note, "");
        const auto names = dump.namesOf(stack);
        seen.insert(seen.end(), names.begin(), names.end());
    }
    for (const char* name : {"at_wait_mutex", "at_wait_condition", "at_wait_read", "at_wait_sleep",
                             "at_deeper", "start_thread", "main"})
        EXPECT_THAT(seen, testing::Contains(name));
}

}  // namespace
}  // namespace icecore::tests
