// Cores that others wrote (the kernel, gdb, .NET's createdump) are read as gdb reads them; and our
// own cores of programs whose files are gone, or that are inside the vdso, unwind out of the dump's
// own memory.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>

#include "bytes/elf_layout.h"
#include "support/scratch.h"
#include "support/victim.h"
#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

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

/// Makes a core of ours look like one of createdump: mappings that follow each other, up to the
/// first that can be written, become one segment with the flags of the first, and nothing tells
/// what each of them may do. How many segments were drawn together.
std::size_t mergeMappings(const std::string& core) {
    std::string bytes = readText(core);
    // Our own notes tell the mappings one by one: they become somebody else's.
    for (std::size_t at = 0; (at = bytes.find("ICECORE\0"s, at)) != std::string::npos;)
        bytes.replace(at, 7, "UNKNOWN");
    elf::Header64 header;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::size_t merged = 0;
    std::size_t first = 0;
    std::optional<elf::Program64> segment;
    for (std::size_t i = 0; i < header.programCount; ++i) {
        const std::size_t at = header.programOffset + i * sizeof(elf::Program64);
        elf::Program64 next;
        std::memcpy(&next, bytes.data() + at, sizeof next);
        const bool whole = next.type == elf::segmentLoad && next.fileSize == next.memorySize &&
                           (next.flags & elf::flagWrite) == 0;
        if (whole && segment &&
            segment->virtualAddress + segment->memorySize == next.virtualAddress &&
            segment->offset + segment->fileSize == next.offset) {
            segment->fileSize = segment->fileSize + next.fileSize;
            segment->memorySize = segment->memorySize + next.memorySize;
            std::memcpy(bytes.data() + first, &*segment, sizeof *segment);
            next.type = 0;  // PT_NULL
            std::memcpy(bytes.data() + at, &next, sizeof next);
            ++merged;
        } else {
            segment = whole ? std::optional(next) : std::nullopt;
            first = at;
        }
    }
    writeFile(core, bytes);
    return merged;
}

TEST(ForeignCore, WhoseSegmentsSpanSeveralMappings) {
    const Scratch scratch;
    Victim victim("capture_threads", {"many", "3"});
    ASSERT_TRUE(victim.until("ready"));
    const std::string core = scratch.file("core");
    const auto dumped = shell(program() + " dump " + std::to_string(victim.pid()) +
                              " --type full -o " + core + " 2>&1");
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    const OpenDump before(core);
    ASSERT_TRUE(before.ok());
    const Stacks expected = before.stacks();
    const Process& told = before.process();
    ASSERT_GT(mergeMappings(core), 3U);
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    EXPECT_EQ(dump.stacks(), expected);
    EXPECT_EQ(dump.stacks(), gdbStacks(scratch, target("capture_threads"), core));
    std::size_t code = 0;
    for (const Region& region : dump.process().regions) {
        if (region.kind != RegionKind::image) continue;
        const Region* was = told.regionAt(region.range.begin());
        ASSERT_NE(was, nullptr);
        EXPECT_EQ(region.protection, was->protection) << region.name << hex(region.fileOffset);
        if (region.protection.execute) ++code;
    }
    EXPECT_GE(code, 3U) << "the program, libc, the dynamic linker";
}

/// Made from text, since many kernels run no 32-bit programs: what describe names is what
/// eu-readelf reads, and what the reader makes of it.
TEST(ForeignCore, OfA32BitProcess) {
    const Scratch scratch;
    const std::string core = scratch.file("x86.core");
    const auto built = shell(program() + " build " + sourceFile("tests/data/core/x86.txt") +
                             " -o " + core + " 2>&1");
    ASSERT_EQ(built.status, 0) << built.text;
    const std::string notes = shell("eu-readelf -n " + core + " 2>/dev/null").text;
    for (const char* part :
         {"info.si_signo: 11, info.si_code: 0, info.si_errno: 0, cursig: 11", "sigpend: <10>",
          "sighold: <10,28>", "pid: 4242, ppid: 4000, pgrp: 4242, sid: 3999",
          "utime: 1.250000, stime: 0.010000", "eip:     0x08048010", "fname: small",
          "psargs: /opt/small --old", "fault address: 0x10", "PAGESZ: 4096", "ENTRY: 0x8048000",
          "08048000-08049000 00000000 4096 ", "f7d00000-f7d02000 00003000 8192 ",
          " /opt/libtiny.so"})
        EXPECT_THAT(notes, HasSubstr(part));

    const auto described = shell(program() + " describe " + core);
    EXPECT_EQ(described.status, 0);
    for (const char* part :
         {"PRSTATUS_X86", "  Held: 0x8000200", "  eip: 0x8048010", "  UserMicroseconds: 250000",
          "PRPSINFO_32", "  Nice: -5", "  Uid: 1000\n  Gid: 100",
          "  Arguments: \"/opt/small --old \"", "SIGINFO_32", "  Address: 0x10", "AUXV_32 auxv.1",
          "  Value: 0x8048000", "FILE_LIST_32", "FILE_ENTRY_32 file.1", "  Begin: 0xf7d00000",
          "  Text: \"/opt/libtiny.so\\x00\""})
        EXPECT_THAT(described.text, HasSubstr(part));
    writeFile(scratch.file("text"), described.text);
    const std::string again = scratch.file("again");
    EXPECT_EQ(shell(program() + " build " + scratch.file("text") + " -o " + again).status, 0);
    EXPECT_EQ(readText(again), readText(core));

    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    const Process& process = dump.process();
    EXPECT_EQ(process.system.arch, Arch::x86);
    EXPECT_EQ(process.pid, 4242U);
    EXPECT_EQ(process.parentPid, 4000U);
    EXPECT_EQ(process.uid, 1000U);
    EXPECT_EQ(process.name, "small");
    EXPECT_EQ(process.executable, "/opt/small");
    ASSERT_EQ(process.threads.size(), 1U);
    const Thread& thread = process.threads[0];
    EXPECT_EQ(thread.blockedSignals, 0x8000200U);
    EXPECT_EQ(thread.userTime, std::chrono::milliseconds(1250));
    EXPECT_EQ(thread.context->registers.pc(), 0x8048010U);
    EXPECT_EQ(thread.context->registers.sp(), 0xffffd010U);
    ASSERT_TRUE(process.exception.has_value());
    EXPECT_EQ(process.exception->faultAddress, 0x10U);
    const auto open = shell(program() + " open " + core + " -c r 2>&1");
    EXPECT_THAT(open.text, HasSubstr("eax=00000010 ebx=0000000b ecx=0000000c edx=0000000d"));
    EXPECT_THAT(open.text, HasSubstr("mov     eax,dword ptr [eax]"));
}

/// createdump of a .NET runtime of this machine, or nothing.
std::string createdump() {
    return std::string(
        trim(outputOf("ls -d /usr/share/dotnet/shared/Microsoft.NETCore.App/*/createdump "
                      "/usr/lib/dotnet/shared/Microsoft.NETCore.App/*/createdump 2>/dev/null"
                      " | tail -1")));
}

class CreatedumpCore : public testing::TestWithParam<const char*> {};

TEST_P(CreatedumpCore, OfANativeProcess) {
    if (createdump().empty()) GTEST_SKIP() << "no .NET runtime, and so no createdump, is installed";
    const Scratch scratch;
    Victim victim("capture_threads", {"many", "3"});
    ASSERT_TRUE(victim.until("ready"));
    const std::string core = scratch.file("core");
    const auto made = shell(createdump() + " --" + GetParam() + " -f " + core + " " +
                            std::to_string(victim.pid()) + " 2>&1");
    ASSERT_EQ(made.status, 0) << made.text;
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    EXPECT_EQ(dump.snapshot->provenance.tool, "createdump (.NET)");
    EXPECT_EQ(dump.process().pid, static_cast<std::uint64_t>(victim.pid()));
    EXPECT_EQ(dump.process().threads.size(), 4U);
    EXPECT_FALSE(dump.process().exception.has_value());
    EXPECT_EQ(dump.stacks(), gdbStacks(scratch, target("capture_threads"), core));
    for (const Thread& thread : dump.process().threads) {
        const Stack stack = dump.unwinder->unwind(thread);
        EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
        EXPECT_THAT(dump.namesOf(stack), testing::Contains(testing::AnyOf("main", "sleeper")));
    }
}

/// A process of the runtime itself: the C# compiler, that waits to be asked. Threads whose frames
/// all lie in modules are those of gdb; through code made at run time gdb finds no way.
TEST_P(CreatedumpCore, OfADotnetProcess) {
    const std::string compiler(trim(
        outputOf("ls $(dirname $(readlink -f $(command -v dotnet) 2>/dev/null) 2>/dev/null)/sdk/*/"
                 "Roslyn/bincore/VBCSCompiler.dll 2>/dev/null | tail -1")));
    if (createdump().empty() || compiler.empty()) GTEST_SKIP() << "no .NET SDK is installed";
    const Scratch scratch;
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::setenv("DOTNET_EnableDiagnostics", "0", 1);
        ::setenv("HOME", scratch.file("").c_str(), 1);
        ::setenv("TMPDIR", scratch.file("").c_str(), 1);
        const std::string name = "-pipename:icecore" + std::to_string(::getpid());
        ::execlp("dotnet", "dotnet", "exec", compiler.c_str(), name.c_str(), nullptr);
        ::_exit(127);
    }
    // Once it waits all its threads do, for many looks in a row.
    int calm = 0;
    const bool waits = eventually([&] {
        bool asleep = true;
        std::size_t count = 0;
        std::error_code gone;
        for (const auto& task :
             std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
            const std::string stat = readText(task.path().string() + "/stat");
            const std::size_t end = stat.rfind(')');
            asleep &= end != std::string::npos && stat.compare(end, 3, ") S") == 0;
            ++count;
        }
        calm = asleep && count >= 4 ? calm + 1 : 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return calm >= 25;
    });
    const std::string core = scratch.file("core");
    const auto made = shell(createdump() + " --" + GetParam() + " -f " + core + " " +
                            std::to_string(pid) + " 2>&1");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ASSERT_TRUE(waits);
    ASSERT_EQ(made.status, 0) << made.text;
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    EXPECT_EQ(dump.process().pid, static_cast<std::uint64_t>(pid));
    const Stacks ours = dump.stacks();
    const Stacks gdb = gdbStacks(scratch, dump.process().executable, core);
    ASSERT_EQ(ours.size(), gdb.size());
    std::size_t compared = 0;
    for (const auto& [id, frames] : ours) {
        if (!std::ranges::all_of(frames,
                                 [&](auto pc) { return dump.process().moduleAt(pc) != nullptr; }))
            continue;
        const Stack stack = dump.unwinder->unwind(*dump.process().thread(id));
        EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
        EXPECT_EQ(frames, gdb.at(id)) << describe(stack, dump);
        ++compared;
    }
    EXPECT_GE(compared, 2U);
    // The first thread is in managed code, and began in the program.
    const auto names = dump.namesOf(dump.unwinder->unwind(dump.process().threads[0]));
    EXPECT_THAT(names, testing::Contains(testing::HasSubstr("coreclr_execute_assembly")));
    EXPECT_THAT(names, testing::Contains(testing::HasSubstr("__libc_start_main")));
}

INSTANTIATE_TEST_SUITE_P(Types, CreatedumpCore, testing::Values("full", "normal"),
                         [](const auto& type) { return std::string(type.param); });

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
