// Stacks of arm64 programs, run by qemu-user, which writes a core at a fatal signal. Its cores hold
// no code, no names of files and no build-ids: everything comes from the program itself.
#include <gmock/gmock.h>

#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

std::string withoutCores(const TemporaryFolder& folder) {
    return "cd " + folder.path() + " && ulimit -c unlimited && ";
}

/// The core that qemu left in the folder.
std::string coreIn(const TemporaryFolder& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("qemu_") && name.ends_with(".core")) return entry.path().string();
    }
    return {};
}

struct Scenario {
    const char* program;
    const char* name;
    std::vector<std::string> functions;  ///< "*" is any
    /// gdb knows neither qemu's signal trampoline nor, as qemu writes no mask into its cores, which
    /// bits of a return address are its signature.
    bool gdbAgrees = true;
};

std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
    return out << scenario.program << " " << scenario.name;
}

class UnwindArm64 : public testing::TestWithParam<Scenario> {};

TEST_P(UnwindArm64, StacksAreTheOnesWeKnow) {
    const Scenario& scenario = GetParam();
    const std::string program = target(std::string("arm64/") + scenario.program);
    if (!haveTool("qemu-aarch64") || !std::filesystem::exists(program))
        GTEST_SKIP() << "no cross compiler or no qemu-aarch64";
    const TemporaryFolder folder;
    outputOf("(" + withoutCores(folder) + "timeout 60 qemu-aarch64 -cpu max " + program + " " +
             scenario.name + ") >/dev/null 2>&1");
    const std::string core = coreIn(folder);
    ASSERT_FALSE(core.empty());
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    const Thread& thread = dump.process().threads[0];
    const Stack stack = dump.unwinder->unwind(thread);
    SCOPED_TRACE(describe(stack, dump));
    EXPECT_EQ(stack.end, StackEnd::complete);
    auto names = dump.namesOf(stack);
    ASSERT_GE(names.size(), scenario.functions.size());
    names.resize(scenario.functions.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (scenario.functions[i] == "*") names[i] = "*";
    }
    EXPECT_EQ(names, scenario.functions);
    if (scenario.functions.back() == "main") {
        EXPECT_EQ(dump.nameOf(stack.frames.back()), "_start");
    }

    if (!scenario.gdbAgrees || !haveTool("gdb-multiarch")) return;
    writeFile(folder.file("stacks.py"), gdbStackScript);
    const Stacks gdb = parseStacks(outputOf(
        "timeout 60 gdb-multiarch -batch -nx -ex 'set debuginfod enabled off'"
        " -ex 'set backtrace past-main on' " +
        program + " " + core + " -ex 'source " + folder.file("stacks.py") + "' 2>/dev/null"));
    ASSERT_FALSE(gdb.empty());
    EXPECT_EQ(dump.stacks().at(thread.id), gdb.begin()->second);
}

const std::vector<Scenario> crashes = {
    {"unwind_crash", "recursion", {"at_crash", "at_recursion", "at_recursion"}},
    {"unwind_crash",
     "noreturn",
     {"*", "raise", "abort", "at_die", "at_noreturn", "at_main", "main"}},
    {"unwind_crash", "null-call", {"*", "at_call_null", "at_main", "main"}},
    {"unwind_crash", "aligned-vla", {"at_crash", "at_sink", "at_aligned_vla", "at_main", "main"}},
    {"unwind_crash", "tail-call", {"at_crash", "at_tail_last", "at_tail_first", "at_main", "main"}},
    {"unwind_crash", "noexcept", {"*", "raise", "abort"}},
    {"unwind_crash",
     "altstack",
     {"at_crash", "at_handler_work", "at_handler", "*", "*", "raise", "at_raise", "at_main",
      "main"},
     false},
    {"unwind_crash",
     "interrupted",
     {"at_crash", "at_handler_work", "at_handler", "*", "at_spin", "at_interrupted", "at_main",
      "main"},
     false},
    {"unwind_crash", "smashed", {"at_crash", "at_smashed", "at_main", "main"}, false},
    {"unwind_crash",
     "coroutine",
     {"at_crash", "at_coroutine_work", "at_coroutine", "__startcontext"},
     false},
    {"unwind_pac", "recursion", {"at_crash", "at_recursion", "at_recursion"}, false},
    {"unwind_pac",
     "interrupted",
     {"at_crash", "at_handler_work", "at_handler", "*", "at_spin", "at_interrupted", "at_main",
      "main"},
     false},
    {"unwind_pac", "noexcept", {"*", "raise", "abort"}, false},
    {"unwind_asm", "bare-leaf", {"at_bare_leaf", "at_run", "main"}},
    {"unwind_asm", "bare-pushes", {"at_bare_pushes", "at_run", "main"}},
    {"unwind_asm", "bare-calls", {"at_bare_leaf", "at_bare_calls", "at_run", "main"}},
    {"unwind_asm", "framed-calls", {"at_framed_inner", "at_framed_calls", "at_run", "main"}},
    {"unwind_asm", "framed-entry", {"at_framed_entry", "at_run", "main"}},
    {"unwind_asm", "framed-pushed", {"at_framed_pushed", "at_run", "main"}},
    {"unwind_asm", "framed-exit", {"at_framed_exit", "at_run", "main"}, false},
};

INSTANTIATE_TEST_SUITE_P(Scenarios, UnwindArm64, testing::ValuesIn(crashes), [](const auto& each) {
    std::string name = std::string(each.param.program) + "_" + each.param.name;
    std::ranges::replace(name, '-', '_');
    return name;
});

/// A dynamic program: its libraries are found through the linker's list and below a root.
TEST(UnwindArm64Dynamic, LibrariesAreFoundBelowARoot) {
    constexpr const char* root = "/usr/aarch64-linux-gnu";
    if (!haveTool("qemu-aarch64") || !haveTool("aarch64-linux-gnu-g++"))
        GTEST_SKIP() << "no cross compiler or no qemu-aarch64";
    const TemporaryFolder folder;
    const std::string program = folder.file("dynamic");
    outputOf("aarch64-linux-gnu-g++ -g -O1 -pthread -o " + program + " " +
             sourceFile("tests/targets/unwind_crash.cpp") + " 2>&1");
    outputOf("(" + withoutCores(folder) + "timeout 60 qemu-aarch64 -L " + root + " " + program +
             " throw) >/dev/null 2>&1");
    const std::string core = coreIn(folder);
    ASSERT_FALSE(core.empty());
    const auto snapshot = openDump(core);
    ASSERT_TRUE(snapshot);
    SymbolOptions options;
    options.root = root;
    options.path = folder.path();  // the program itself lies elsewhere
    const Symbolizer symbolizer(*snapshot->process, options);
    const Unwinder unwinder(*snapshot->process, symbolizer);
    const Stack stack = unwinder.unwind(snapshot->process->threads[0]);
    std::vector<std::string> names;
    for (const Frame& frame : stack.frames) {
        const auto symbol =
            symbolizer.nearestSymbol(frame.pcIsReturnAddress ? frame.pc - 1 : frame.pc);
        names.push_back(symbol ? symbol->name : hex(frame.pc));
    }
    EXPECT_EQ(stack.end, StackEnd::complete) << stack.note;
    EXPECT_THAT(names, testing::IsSupersetOf(
                           {"abort", "__cxa_throw", "at_throw", "at_main", "main", "_start"}));
    for (std::size_t i = 1; i < stack.frames.size(); ++i)
        EXPECT_EQ(stack.frames[i].trust, Trust::cfi) << names[i];
}

}  // namespace
}  // namespace icecore::tests
