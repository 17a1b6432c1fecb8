// Cores that others wrote (the kernel, gdb) are read as gdb reads them; and our
// own cores of programs whose files are gone, or that are inside the vdso, unwind out of the dump's
// own memory.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>

#include "support/scratch.h"
#include "support/victim.h"
#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

using testing::HasSubstr;

constexpr const char* quietGdb = "gdb -nx -q -batch -ex 'set debuginfod enabled off' ";

/// The stacks gdb finds in a core.
Stacks gdbStacks(const Scratch& scratch, const std::string& executable, const std::string& core) {
    writeFile(scratch.file("stacks.py"), gdbStackScript);
    return parseStacks(outputOf(std::string(quietGdb) +
                                "-ex 'set backtrace past-main on' -ex 'file " + executable +
                                "' -ex 'core-file " + core + "' -ex 'source " +
                                scratch.file("stacks.py") + "' 2>/dev/null </dev/null"));
}

/// A core of the crasher: five threads, of which one other than the leader crashed.
void expectCrasher(const Scratch& scratch, const std::string& core, std::uint64_t pid) {
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    const Process& process = dump.process();
    EXPECT_EQ(process.pid, pid);
    EXPECT_EQ(process.name, "crasher");
    EXPECT_EQ(process.executable, target("crasher"));
    ASSERT_EQ(process.threads.size(), 5U);
    ASSERT_TRUE(process.exception.has_value());
    EXPECT_EQ(process.exception->code, static_cast<std::uint32_t>(SIGSEGV));
    EXPECT_EQ(process.exception->faultAddress, 0U);
    EXPECT_NE(process.exception->threadId, pid) << "the leader did not crash";
    const Thread* crashed = process.thread(process.exception->threadId);
    ASSERT_NE(crashed, nullptr);
    const Stack stack = dump.unwinder->unwind(*crashed);
    const auto names = dump.namesOf(stack);
    ASSERT_GE(names.size(), 2U);
    EXPECT_THAT(names[0], HasSubstr("sum_of_ids"));
    EXPECT_THAT(names[1], HasSubstr("close_books"));
    EXPECT_EQ(dump.stacks(), gdbStacks(scratch, target("crasher"), core));
    const auto open = shell(program() + " open " + core + " -c '|; .lastevent' 2>&1");
    EXPECT_EQ(open.status, 0);
    EXPECT_THAT(open.text, HasSubstr("id: " + hexDigits(pid, 1) + "\t"));
    EXPECT_THAT(open.text, HasSubstr("Last event: " + hexDigits(pid, 1) + "." +
                                     hexDigits(process.exception->threadId, 1) + ":"));
}

TEST(ForeignCore, OfTheKernel) {
    // What the machine does with cores is not ours to change.
    const std::string pattern(trim(readText("/proc/sys/kernel/core_pattern")));
    if (pattern.empty() || pattern.find_first_of("|/%") != std::string::npos)
        GTEST_SKIP() << "kernel.core_pattern is '" << pattern << "', no plain file name";
    const Scratch scratch;
    const std::string folder = scratch.file("");
    Victim victim("crasher", {}, [&] {
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_CORE, &unlimited) != 0 || ::chdir(folder.c_str()) != 0) ::_exit(126);
    });
    const auto pid = static_cast<std::uint64_t>(victim.pid());
    const int status = victim.wait();
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    if (!WCOREDUMP(status)) GTEST_SKIP() << "the kernel wrote no core here";
    std::string core = scratch.file(pattern);
    if (!std::filesystem::exists(core)) core += "." + std::to_string(pid);  // core_uses_pid
    expectCrasher(scratch, core, pid);
}

TEST(ForeignCore, OfGdb) {
    const Scratch scratch;
    const std::string core = scratch.file("core");
    const std::string said =
        outputOf(std::string(quietGdb) +
                 "-ex 'set startup-with-shell off' -ex run -ex 'generate-core-file " + core +
                 "' -ex 'python print(\"PID %d.\" % gdb.selected_inferior().pid)' -ex kill " +
                 target("crasher") + " 2>/dev/null </dev/null");
    const std::size_t at = said.find("PID ");
    ASSERT_NE(at, std::string::npos) << said;
    const auto pid = parseDecimal(said.substr(at + 4, said.find('.', at) - at - 4));
    ASSERT_TRUE(pid.has_value()) << said;
    expectCrasher(scratch, core, *pid);
}

/// Every frame was found by call frame information, up to the end.
void expectAllByCfi(const OpenDump& dump, const Thread& thread) {
    const Stack stack = dump.unwinder->unwind(thread);
    EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
    EXPECT_GE(stack.frames.size(), 4U);
    for (std::size_t i = 1; i < stack.frames.size(); ++i)
        EXPECT_EQ(stack.frames[i].trust, Trust::cfi) << describe(stack, dump);
}

TEST(CfiInTheDump, OfAProgramAndItsLibraryWhoseFilesAreGone) {
    const Scratch scratch;
    const std::string copy = scratch.file("gone"), library = scratch.file("libc.so.6");
    ASSERT_EQ(shell("cp \"$(readlink -f \"$(command -v sleep)\")\" " + copy +
                    " && cp \"$(ldd \"$(command -v sleep)\" | sed -n 's/.*libc.so.6 => "
                    "\\([^ ]*\\).*/\\1/p')\" " +
                    library)
                  .status,
              0);
    const std::string folder = scratch.file("");
    // The shell of the path is only there to set the variable: it becomes the program.
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::setenv("LD_LIBRARY_PATH", folder.c_str(), 1);
        ::execl(copy.c_str(), copy.c_str(), "1000", nullptr);
        ::_exit(127);
    }
    const auto asleep = [&] {
        return readText("/proc/" + std::to_string(pid) + "/comm") == "gone\n" &&
               statusValue(pid, "State").starts_with('S') &&
               readText("/proc/" + std::to_string(pid) + "/syscall").starts_with("230 ");
    };
    ASSERT_TRUE(eventually(asleep));
    const TemporaryFolder forGdb;
    const Stacks live = attachGdb(forGdb, static_cast<std::uint64_t>(pid), forGdb.file("core"));
    ASSERT_EQ(live.size(), 1U);
    EXPECT_THAT(readText("/proc/" + std::to_string(pid) + "/maps"), HasSubstr(library));
    std::filesystem::remove(copy);
    std::filesystem::remove(library);
    const std::string core = scratch.file("core");
    const auto dumped =
        shell(program() + " dump " + std::to_string(pid) + " --type full -o " + core + " 2>&1");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    ASSERT_EQ(dump.process().threads.size(), 1U);
    expectAllByCfi(dump, dump.process().threads[0]);
    EXPECT_EQ(dump.stacks(), live);
}

TEST(CfiInTheDump, OfTheVdso) {
    const Scratch scratch;
    Victim victim("vdso_caller");
    ASSERT_TRUE(victim.until("ready"));
    const std::string core = scratch.file("core");
    // Nearly all its time is spent there; where it is not, another dump is taken.
    for (int attempt = 0; attempt < 40; ++attempt) {
        const auto dumped = shell(program() + " dump " + std::to_string(victim.pid()) +
                                  " --overwrite -o " + core + " 2>&1");
        ASSERT_EQ(dumped.status, 0) << dumped.text;
        const OpenDump dump(core);
        ASSERT_TRUE(dump.ok());
        const Thread& thread = dump.process().threads[0];
        const Region* region = dump.process().regionAt(thread.context->registers.pc());
        if (region == nullptr || region->kind != RegionKind::vdso) continue;
        expectAllByCfi(dump, thread);
        const auto names = dump.namesOf(dump.unwinder->unwind(thread));
        EXPECT_THAT(names, testing::IsSupersetOf({"at_ask_the_time", "main", "_start"}));
        const Stacks ours = dump.stacks();
        EXPECT_EQ(ours, gdbStacks(scratch, target("vdso_caller"), core));
        EXPECT_EQ(ours, euStack(core, target("vdso_caller")));
        return;
    }
    FAIL() << "it was never met in the vdso";
}

// The kernel fills pr_flag with the task's flags; so do we.
TEST(OwnCore, TellsTheFlagsOfTheTask) {
    const Scratch scratch;
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    const std::string core = scratch.file("core");
    const auto dumped =
        shell(program() + " dump " + std::to_string(victim.pid()) + " -o " + core + " 2>&1");
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    const std::string said = shell("eu-readelf -n " + core + " 2>/dev/null").text;
    const std::size_t at = said.find("flag: ");
    ASSERT_NE(at, std::string::npos) << said;
    const auto ours = parseHex(trim(said.substr(at + 6, said.find('\n', at) - at - 6)));
    ASSERT_TRUE(ours.has_value()) << said;
    // Field 9 of proc(5)'s stat; the 7th behind the name. PF_SUPERPRIV (linux/sched.h) may come in
    // between: it tells that a privilege was used.
    const std::string stat = readText("/proc/" + std::to_string(victim.pid()) + "/stat");
    const auto fields = splitBlanks(std::string_view(stat).substr(stat.rfind(')') + 1));
    ASSERT_GT(fields.size(), 6U);
    constexpr std::uint64_t usedPrivilege = 0x100;
    EXPECT_EQ(*ours & ~usedPrivilege, *parseDecimal(fields[6]) & ~usedPrivilege);
    EXPECT_NE(*ours, 0U);
}

}  // namespace
}  // namespace icecore::tests
