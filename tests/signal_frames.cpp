// Threads that stand inside a signal handler: the stack leads through the kernel's frame to the
// function that was interrupted, in our own dumps of real processes as in gdb and eu-stack.
#include <gmock/gmock.h>

#include "support/scratch.h"
#include "support/victim.h"
#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Case {
    const char* way;
    const char* format;
};

class SignalFrames : public testing::TestWithParam<Case> {
protected:
    void SetUp() override {
        ASSERT_TRUE(victim.until("ready"));
        ASSERT_TRUE(
            eventually([&] { return statusValue(victim.pid(), "State").starts_with('S'); }));
        path = scratch.file(std::string("it.") + GetParam().format);
        const auto dumped =
            shell(program() + " dump " + std::to_string(victim.pid()) + " -o " + path + " 2>&1");
        ASSERT_EQ(dumped.status, 0) << dumped.text;
    }
    [[nodiscard]] bool inVdso() const { return std::string_view(GetParam().way) == "vdso"; }
    [[nodiscard]] std::string open(const std::string& commands) const {
        return shell(program() + " open " + path + " -c '" + commands + "' 2>&1").text;
    }

    const Scratch scratch;
    Victim victim{"known_state", {GetParam().way}};
    std::string path;
};

TEST_P(SignalFrames, LeadToTheInterruptedFunction) {
    const OpenDump dump(path);
    ASSERT_TRUE(dump.ok());
    const Stack stack = dump.unwinder->unwind(dump.process().threads[0]);
    EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
    const auto names = dump.namesOf(stack);
    if (inVdso()) {
        ASSERT_GE(names.size(), 7U) << describe(stack, dump);
        EXPECT_THAT(std::vector(names.begin() + 1, names.begin() + 4),
                    ElementsAre("stays", "in_vdso", HasSubstr("restore_rt")));
        EXPECT_THAT(names, testing::IsSupersetOf({"asks_the_time", "main", "_start"}));
        const Region* vdso = dump.process().regionAt(stack.frames[4].pc);
        ASSERT_NE(vdso, nullptr);
        EXPECT_EQ(vdso->kind, RegionKind::vdso);
    } else {
        ASSERT_GE(names.size(), 7U) << describe(stack, dump);
        EXPECT_THAT(std::vector(names.begin() + 1, names.begin() + 7),
                    ElementsAre("stays", "in_handler", HasSubstr("restore_rt"), "at_work",
                                "asks_for_work", "main"));
    }
    // The very instruction, not one after a call.
    EXPECT_EQ(stack.frames[4].pc, victim.number("interrupted"));
    EXPECT_FALSE(stack.frames[4].pcIsReturnAddress);

    // Other tools read cores; a minidump of the same process is held against a core of it.
    const std::string core = scratch.file("other.core");
    const auto dumped =
        shell(program() + " dump " + std::to_string(victim.pid()) + " -o " + core + " 2>&1");
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    EXPECT_EQ(dump.stacks(), euStack(core, target("known_state")));
    writeFile(scratch.file("stacks.py"), gdbStackScript);
    EXPECT_EQ(dump.stacks(),
              parseStacks(outputOf("gdb -nx -q -batch -ex 'set debuginfod enabled off' -ex 'set "
                                   "backtrace past-main on' -ex 'source " +
                                   scratch.file("stacks.py") + "' " + target("known_state") + " " +
                                   core + " 2>/dev/null </dev/null")));
}

/// `.cxr` with the ucontext that the handler was given: the registers and the stack of the moment
/// before; `.cxr` alone goes back.
TEST_P(SignalFrames, AreReachedByTheirContextRecord) {
    const std::string context = hex(victim.number("context"));
    const std::string rip = "rip=" + hexDigits(victim.number("interrupted"), 16);
    const std::string said =
        open(".cxr " + context + "; .echo STACK; k; .echo BACK; .cxr; k; r rip");
    std::string record, stack, back;
    std::string* part = &record;
    for (const std::string_view line : split(said, '\n')) {
        if (line == "STACK")
            part = &stack;
        else if (line == "BACK")
            part = &back;
        else
            *part += std::string(line) + "\n";
    }
    EXPECT_THAT(record, HasSubstr(rip));
    if (!inVdso()) {
        EXPECT_THAT(record, HasSubstr("rbx=01cec04e5ca1ab1e"));
        EXPECT_THAT(record, HasSubstr("known_state!at_work"));
        EXPECT_THAT(record, HasSubstr("idiv"));
    }
    // The stack begins with the interrupted function: what the handler called is gone.
    EXPECT_THAT(stack, testing::Not(HasSubstr("stays")));
    EXPECT_THAT(stack, testing::Not(HasSubstr("restore_rt")));
    const auto innermost = split(stack, '\n');
    ASSERT_GT(innermost.size(), 3U) << stack;
    EXPECT_THAT(std::string(innermost[1]), HasSubstr(inVdso() ? "vdso!" : "known_state!at_work+"));
    EXPECT_THAT(stack,
                HasSubstr(inVdso() ? "known_state!asks_the_time+" : "known_state!asks_for_work+"));
    EXPECT_THAT(stack, HasSubstr("known_state!main+"));
    // And back again.
    EXPECT_THAT(back, HasSubstr("known_state!stays"));
    EXPECT_THAT(back, testing::Not(HasSubstr(rip)));
}

INSTANTIATE_TEST_SUITE_P(Ways, SignalFrames,
                         testing::Values(Case{"handler", "core"}, Case{"handler", "dmp"},
                                         Case{"alternate", "core"}, Case{"alternate", "dmp"},
                                         Case{"vdso", "core"}, Case{"vdso", "dmp"}),
                         [](const auto& each) {
                             return std::string(each.param.way) + "_" + each.param.format;
                         });

}  // namespace
}  // namespace icecore::tests
