// The words of WinDbg over Windows dumps: one written by hand that holds what its extensions ask
// for (tests/data/minidump/windows_records.txt), and one that Wine makes of a program. What is
// expected is what Microsoft's documentation shows of the commands, and what dbgeng prints where it
// has them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "support/windows_crashes.h"

namespace icecore::tests {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class WindowsRecords : public testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = std::make_unique<Scratch>();
        const ShellOutput built =
            shell(program() + " build " + sourceFile("tests/data/minidump/windows_records.txt") +
                  " -o " + scratch_->file("records.dmp") + " 2>&1");
        EXPECT_EQ(built.status, 0) << built.text;
    }
    static void TearDownTestSuite() { scratch_.reset(); }
    static std::string open(const std::string& commands) {
        return shell(program() + " open " + scratch_->file("records.dmp") + " -c '" + commands +
                     "' 2>&1")
            .text;
    }
    static inline std::unique_ptr<Scratch> scratch_;
};

TEST_F(WindowsRecords, TimesOfThreads) {
    const std::string user =
        " User Mode Time\n  Thread       Time\n"
        "   1:104      0 days 1:01:01.525  worker\n"
        "   2:1a8      0 days 0:00:02.000\n"
        "   0:100      0 days 0:00:00.009  main\n";
    EXPECT_EQ(open("!runaway"), user);
    EXPECT_EQ(open("!runaway 7"), user +
                                      " Kernel Mode Time\n  Thread       Time\n"
                                      "   2:1a8      0 days 0:00:07.000\n"
                                      "   0:100      0 days 0:00:00.014  main\n"
                                      "   1:104      0 days 0:00:00.000  worker\n"
                                      " Elapsed Time\n  Thread       Time\n"
                                      "   0:100      1 days 1:01:01.000  main\n"
                                      "   1:104      0 days 0:00:43.000  worker\n"
                                      "   2:1a8      0 days 0:00:00.000\n");
    EXPECT_THAT(open("!runaway 4"), StartsWith(" Elapsed Time\n"));
    EXPECT_THAT(open("!runaway 8"), HasSubstr("1 user, 2 kernel, 4 elapsed"));
    EXPECT_EQ(open("vertarget"),
              "Windows 10 Version 19045 MP (4 procs) Free x64\n"
              "Debug session time: Tue Nov 14 22:13:20.000 2023 (UTC + 0:00)\n"
              "Process started: Mon Nov 13 21:12:19.000 2023 (UTC + 0:00)\n"
              "Process Uptime: 1 days 1:01:01.000\n"
              "  Kernel time: 0 days 0:00:03.000\n  User time: 0 days 0:00:12.000\n");
    EXPECT_THAT(open(".time"), StartsWith("Debug session time: Tue Nov 14 22:13:20.000 2023"));
}

TEST_F(WindowsRecords, Handles) {
    EXPECT_EQ(open("!handle"),
              "Handle 4\n  Type         \tEvent\nHandle 8\n  Type         \tEvent\n"
              "Handle c\n  Type         \tMutant\nHandle 10\n  Type         \tSemaphore\n"
              "Handle 14\n  Type         \tFile\n"
              "5 Handles\nType           \tCount\nEvent          \t2\nFile           \t1\n"
              "Mutant         \t1\nSemaphore      \t1\n");
    EXPECT_EQ(open("!handle 4 f"),
              "Handle 4\n  Type         \tEvent\n  Attributes   \t0x0\n  GrantedAccess\t0x1f0003:\n"
              "         Delete,ReadControl,WriteDac,WriteOwner,Synch\n"
              "         QueryState,ModifyState\n"
              "  HandleCount  \t2\n  PointerCount \t3\n  Name         \t<none>\n"
              "  Object Specific Information\n    Event Type Auto Reset\n    Event is Waiting\n");
    EXPECT_THAT(open("!handle c f"), EndsWith("  Name         \t\\BaseNamedObjects\\lock\n"
                                              "  Object Specific Information\n"
                                              "    Mutex is Owned\n    Mutant Owner 1a2c.104\n"));
    EXPECT_THAT(open("!handle 10 8"), EndsWith("    Semaphore Count 2\n    Semaphore Limit 10\n"));
    const std::string files = open("!handle -1 3 File");
    EXPECT_THAT(files,
                HasSubstr("         ReadControl,Synch\n         Read/List,ReadEA,ReadAttr\n"));
    EXPECT_THAT(files, EndsWith("1 Handles\nType           \tCount\nFile           \t1\n"));
    EXPECT_THAT(open("!handle 99"), HasSubstr("no such handle is open"));
}

TEST_F(WindowsRecords, RegionsAndWhatTheyAreFor) {
    const std::string all = open("!address");
    for (const char* row :
         {"+        0`00000000        0`00100000        0`00100000             MEM_FREE ",
          "MEM_PRIVATE MEM_RESERVE                                    Stack      [~0; 1a2c.100]\n",
          "MEM_PRIVATE MEM_COMMIT  PAGE_READWRITE|PAGE_GUARD          Stack      [~0; 1a2c.100]\n",
          "Heap       [ID: 1; Handle: 0000000000500000; Type: Segment]\n",
          "0`00006000 MEM_PRIVATE MEM_COMMIT  PAGE_READWRITE                     TEB        [~0; ",
          R"(Image      [app; "C:\work\app.exe"])"})
        EXPECT_THAT(all, HasSubstr(row));
    const std::string sums = open("!address -summary");
    EXPECT_THAT(sums, StartsWith("\n--- Usage Summary ---------------- RgnCount ----------- Total "
                                 "Size -------- %ofBusy %ofTotal\n"));
    EXPECT_THAT(sums, HasSubstr("Stack                                     3        0`00030000 ( "
                                "192.000 kB)  60.76%   0.00%\n"
                                "Heap                                      2        0`00012000 (  "
                                "72.000 kB)  22.78%   0.00%\n"));
    EXPECT_THAT(sums, HasSubstr("MEM_RESERVE                               1        0`00020000 ( "
                                "128.000 kB)  40.51%   0.00%\n"));
    EXPECT_THAT(sums, HasSubstr("--- Protect Summary (for commit) -"));
    EXPECT_THAT(sums, Not(HasSubstr("PAGE_NOACCESS"))) << "what is reserved has none";
    EXPECT_THAT(open("!address 121234"),
                StartsWith("\nUsage:                  Stack\n"
                           "Base Address:           00000000`00121000\n"
                           "End Address:            00000000`00130000\n"
                           "Region Size:            00000000`0000f000 (  60.000 kB)\n"
                           "State:                  MEM_COMMIT\n"
                           "Protect:                PAGE_READWRITE\n"
                           "Type:                   MEM_PRIVATE\n"
                           "Allocation Base:        00000000`00100000\n"));
    const auto rows = [](const std::string& text) {
        return std::count(text.begin(), text.end(), '\n') - 2;
    };
    EXPECT_EQ(rows(open("!address -f:Heap")), 2);
    EXPECT_EQ(rows(open("!address -f:Stack,PAGE_GUARD")), 1);
    EXPECT_EQ(rows(open("!address -f:mem_image")), 2);
    EXPECT_EQ(rows(open("!address -f:Free")), 7);
}

TEST_F(WindowsRecords, RegionsForOtherCommands) {
    EXPECT_EQ(open("!address -f:Heap -o:1"), "0x400000\n0x500000\n");
    EXPECT_EQ(open("!address -f:Heap -o:csv"),
              "BaseAddress,EndAddress+1,RegionSize,Type,State,Protect,Usage\n"
              "0x400000,0x410000,0x10000,MEM_PRIVATE,MEM_COMMIT,PAGE_READWRITE,Heap\n"
              "0x500000,0x502000,0x2000,MEM_PRIVATE,MEM_COMMIT,PAGE_EXECUTE_READWRITE,Heap\n");
    EXPECT_THAT(open("!address -o:tsv -f:Heap,PAGE_READWRITE"),
                EndsWith("\n0x400000\t0x410000\t0x10000\tMEM_PRIVATE\tMEM_COMMIT\t"
                         "PAGE_READWRITE\tHeap\n"));
    EXPECT_EQ(open("!address -f:Heap -c:\".echo %1 %3 %5 %7\"; .echo end"),
              "0x400000 0x10000 MEM_COMMIT Heap\n0x500000 0x2000 MEM_COMMIT Heap\nend\n");
    EXPECT_EQ(open("!address -f:Heap,PAGE_EXECUTE_READWRITE -c:\".printf \\\"<%p>\\\", %2\""),
              "<0000000000502000>");
    EXPECT_EQ(open(".foreach (a { !address -f:Heap -o:1 }) { ? a }"),
              "Evaluate expression: 4194304 = 00000000`00400000\n"
              "Evaluate expression: 5242880 = 00000000`00500000\n");
    for (const char* wrong : {"!address -o:xml", "!address -c:k", "!address -c:\"k",
                              "!address -f:Heap x", "!address -o:1 -c:\"k\"", "!address -x:1"})
        EXPECT_THAT(open(std::string(wrong) + "; .echo end"), Not(HasSubstr("0x500000"))) << wrong;
    EXPECT_THAT(open("!address -f:Heap -c:\"nosuch\""), HasSubstr("stopped at the first failure"));
}

TEST_F(WindowsRecords, AutomaticAliases) {
    EXPECT_EQ(open(".echo $ntnsym <${$ntwsym}> $ntsym"), "ntdll <> ntdll\n");
    EXPECT_EQ(open(".echo ${$CurrentDumpFile}"), scratch_->file("records.dmp") + "\n");
    EXPECT_EQ(open(".echo ${$CurrentDumpPath}/"),
              std::filesystem::path(scratch_->file("records.dmp")).parent_path().string() + "/\n");
}

TEST_F(WindowsRecords, ErrorsInWords) {
    EXPECT_EQ(open("!gle"),
              "LastErrorValue: (Win32) 0x5 (5) - ERROR_ACCESS_DENIED: access is denied\n");
    EXPECT_THAT(open("!gle -all"), EndsWith("Last error for thread 1A8:\n"
                                            "LastErrorValue: not in the dump\n"));
    EXPECT_EQ(open("!error 2"),
              "Error code: (Win32) 0x2 (2) - ERROR_FILE_NOT_FOUND: the file was not found\n");
    EXPECT_EQ(open("!error 2 1"), "Error code: (NTSTATUS) 0x2 (2) - STATUS_WAIT_2\n");
    EXPECT_EQ(open("!error c0000022"),
              "Error code: (NTSTATUS) 0xc0000022 (3221225506) - STATUS_ACCESS_DENIED: access "
              "denied\n");
    EXPECT_THAT(open("!error 80070005"), StartsWith("Error code: (HRESULT) 0x80070005 "));
    EXPECT_THAT(open("!error 1234567 1"), HasSubstr("<Unable to get error code text>"));
    EXPECT_THAT(open("!error 2 1 x"), HasSubstr("Extra character error"));
}

TEST_F(WindowsRecords, ThreadsOneByOne) {
    EXPECT_EQ(open("~*e r $tid"),
              "$tid=0000000000000100\n$tid=0000000000000104\n$tid=00000000000001a8\n");
    EXPECT_EQ(open("~*e .echo a; r $retreg"),
              "a\n$retreg=0000000000000000\na\n$retreg=0000000000001111\n"
              "a\n$retreg=0000000000002222\n");
    EXPECT_EQ(open("~2"),
              "   2  Id: 1a2c.1a8 Suspend: 1 Teb: 00000000`007fa000 Unfrozen\n"
              "      Start: app+0x1020  Priority: 2  Affinity: f  Thread: 424\n");
    // Without an extension loaded `!mk` is not known.
    const std::string unknown = open("~*e!mk");
    EXPECT_THAT(unknown, HasSubstr("Unknown command"));
    EXPECT_THAT(unknown, HasSubstr("!mk"));
}

/// A program's dump: names, source, threads that wait.
class WindowsCommands : public WindowsCrashes {
protected:
    static std::string run(const std::string& commands) {
        return open(dump("null", "2"), commands);
    }
    static std::uint64_t numberOf(const std::string& command) {
        const std::string text = run(command);
        return parseDecimal(text.substr(0, text.rfind(" =")).substr(text.find(": ") + 2))
            .value_or(0);
    }
    /// Out of a file of commands, for those that hold quotes.
    static std::string script(const std::string& commands) {
        std::ofstream(wine_->file("script.txt")) << commands;
        return run("$<" + wine_->file("script.txt"));
    }
};

/// Section 3 of the seed, in its order.
TEST_F(WindowsCommands, TheSeedsCommandsVerbatim) {
    const std::string file = dump("null", "2");
    const struct {
        const char *command, *expected;
    } session[] = {{"!sym noisy", "noisy mode - "},
                   {"!sym quiet", "quiet mode - "},
                   {".reload /i /f crash.exe", "crash: (pdb symbols) "},
                   {"~*k", "crash!waitInDepth+0x"},
                   {"~1s", "ntdll!NtWaitForMultipleObjects+0x14:\n"},
                   {"kb", "RetAddr               : Args to Child "},
                   {"!analyze -v -f", "FAILURE_BUCKET_ID:  "},
                   {"!peb", "    ImageBaseAddress:         0000000140000000\n"},
                   {"lm -v", "    Image name: crash.exe\n"},
                   {".load C:\\sosex\\sosex.dll", "runs on Windows inside WinDbg alone"},
                   {"!mk", "Unknown command '!mk'"},
                   {"~*e!mk", "Unknown command '!mk'"}};
    for (const auto& [command, expected] : session)
        EXPECT_THAT(open(file, command), HasSubstr(expected)) << command;
    EXPECT_EQ(open(file, ".cls"), "");
    EXPECT_EQ(open(file, "q"), "");
}

/// Every command that the documentation of `open` names, on one dump.
TEST_F(WindowsCommands, EachCommandOfTheList) {
    const struct {
        const char *command, *expected;
    } list[] = {
        {".ecxr", "\nrip=[0-9a-f]{16} rsp=[0-9a-f]{16} [^~]*crash!addInlined\\+0x5 \\[inlined in "},
        {"k 3", "^Child-SP +RetAddr +Call Site\n\\(Inline Function\\) "},
        {"kp 3", "compute\\(struct Job \\* job = "},
        {"kn 3", "\n02 [0-9a-f]{8}`[0-9a-f]{8} "},
        {"kv 3", "Args to Child[^~]*compute\\+0x[0-9a-f]+ [^~]*\\(context\\)\n"},
        {"kf 4", "^  Memory  Child-SP "},
        {"kb 3", "^RetAddr +: Args to Child "},
        {"r rip, rsp", "^rip=[0-9a-f]{16}\nrsp="},
        {".exr -1", "ExceptionCode: c0000005 \\(Access violation\\)\n"},
        {".cxr poi(poi(crash!pointersOfException)+8)", "crash!addInlined\\+0x5 "},
        {".cxr", "^Resetting default scope\n"},
        {".lastevent", "^Last event: [0-9a-f]+\\.[0-9a-f]+: Access violation - code c0000005 "},
        {"|", "^\\.  0\tid: [0-9a-f]+\texamine\tname: .*crash.exe\n"},
        {"~", "\n\\.  5  Id: [0-9a-f]+\\.[0-9a-f]+ Suspend: "},
        {"x crash!comp*", "^00000001`4000[0-9a-f]{4} crash!compute\n"},
        {"ln crash!compute", "Exact matches:\n    crash!compute"},
        {"dt crash!Job", "   \\+0x010 name +: Ptr64 Char\n"},
        {"dt crash!mainJob", "   \\+0x010 name +: 0x[0-9a-f`]+  \"main job\"\n"},
        {".frame 2", "^02 [0-9a-f]{8}`"},
        {"dv /t", "struct Job \\* job = 0x"},
        {"u crash!divide L2", "^crash!divide \\[[^~]*push    rax\n"},
        {"ub @rip L2", "[0-9a-f]{8}`[0-9a-f]{8} [^~]*\n[0-9a-f]{8}`"},
        {"u crash!divide+14 L1", "dword ptr \\[crash!`anonymous namespace\'::sink \\(00000001`"},
        {"dps poi(crash!mainJob+10) L1", "  "},
        {"dps crash!mainJob+10 L1", " crash!`string\'\n"},
        {"uf crash!divide", "\n +[0-9]+ 00000001`[^\n]* cdq\n[^~]* ret\n"},
        {"db crash!mainJob L8", "  07 00 00 00 00 00 00 00 "},
        {"dw crash!mainJob L2", "  0007 0000"},
        {"dd crash!mainJob L2", "  00000007 00000000"},
        {"dq crash!mainJob L1", "  00000000`00000007"},
        {"da poi(crash!mainJob+10)", "  \"main job\"\n"},
        {"du poi(poi(@$peb+20)+78) L5", "^[0-9a-f]{8}`[0-9a-f]{8}  \""},
        {"dps crash!pointersOfException L1", "^00000001`4000[0-9a-f]{4}  [0-9a-f]{8}`"},
        {"dqs @rsp L10", "crash!crasher\\+0x"},
        {"s -a crash L?7000 \"main job\"", "  6d 61 69 6e 20 6a 6f 62-00"},
        {"s -d crash L?7000 7", "^(00000001`4000[0-9a-f]{3}[048c]  00000007 [^\n]*\n)+$"},
        {"? crash!mainJob + 8", "^Evaluate expression: [0-9]+ = 00000001`4000"},
        {"?? crash!mainJob.number", "^int 0n7\n$"},
        {"!address @rsp", "Base Address: "},
        {"!address -summary", "--- Usage Summary "},
        {"!handle", "does not hold open handles"},
        {"!teb", "^TEB at [^~]*    StackBase: "},
        {"!gle", "^LastErrorValue: \\(Win32\\) "},
        {"!error 5", "ERROR_ACCESS_DENIED"},
        {"!runaway", "^ User Mode Time\n  Thread       Time\n"},
        {".effmach", "^Effective machine: x64 \\(AMD64\\)\n"},
        {".echo two words", "^two words\n$"},
        {".help k", "^k\\["},
        {"lmvm crash", "    Image name: crash.exe\n"},
        {"lsa .", "\n> +[0-9]+: [^\n]*twiceInlined\\(job, k\\);"},
        {".reload /f crash", "crash: \\(pdb symbols\\)"},
        {".sympath", "^Symbol search path is: "},
        {".srcpath", "^Source search path is: "},
        {".symfix", "msdl.microsoft.com"},
    };
    std::string commands;
    for (const auto& row : list)
        commands += std::string(row.command) + "\n.echo ~~~~\n";
    std::string text = script(commands + "q\n");
    for (const auto& [command, expected] : list) {
        const std::size_t end = text.find("~~~~\n");
        ASSERT_NE(end, std::string::npos) << command << "\n" << text;
        EXPECT_THAT(text.substr(0, end), ContainsRegex(expected)) << command;
        text.erase(0, end + 5);
    }
    EXPECT_EQ(text, "");
}

TEST_F(WindowsCommands, StacksInTheirForms) {
    EXPECT_THAT(run(".ecxr; kp 3"),
                ContainsRegex("crash!compute\\(struct Job \\* job = 0x[0-9a-f`]+, int k = 0n42\\)"
                              "\\+0x[0-9a-f]+ \\[[^\n]*crash.cpp @ [0-9]+\\]\n"));
    EXPECT_THAT(run(".ecxr; kP 1"),
                ContainsRegex("crash!addInlined\\(\n\t\t\tstruct Job \\* job = [^\n]+, \n"
                              "\t\t\tint k = 0n42\\)\\+0x5 "));
    EXPECT_THAT(
        run("~5s; kc"),
        HasSubstr("Call Site\ncrash!addInlined\ncrash!twiceInlined\ncrash!compute\n"
                  "crash!crasher\nkernel32!BaseThreadInitThunk\nntdll!RtlUserThreadStart\n"));
    EXPECT_THAT(run("~5s; kM 2"), HasSubstr("\n01 (Inline Function) --------`--------     "
                                            "crash!twiceInlined+0xb\n"));
    EXPECT_THAT(run("~5s; .frame /c 3"), ContainsRegex("\nrip=[0-9a-f]{16} rsp=[0-9a-f]{16} "));
    const std::string unique = run("!uniqstack -n");
    EXPECT_THAT(unique, StartsWith("Processing 6 threads, please wait\n\n   0  Id: "));
    EXPECT_THAT(unique, HasSubstr("\n      Priority: 0\n # Child-SP "));
    EXPECT_THAT(unique, HasSubstr("\nTotal threads: 6\n"));
    EXPECT_THAT(run("!uniqstack -p"), HasSubstr("int k = 0n42"));
    EXPECT_THAT(run("!findstack waitindepth 0"), MatchesRegex("(Thread 00[123], [345] frame\\(s\\) "
                                                              "match\n){3}"));
    EXPECT_THAT(run("!findstack crash!compute"),
                ContainsRegex("Thread 005, 1 frame\\(s\\) match\n\t\\* 02 [0-9a-f]{8}`"));
    EXPECT_THAT(run("!findstack compute 2"), HasSubstr("crash!crasher+0x"));
    EXPECT_THAT(run("!findstack nosuch"), HasSubstr("no frame of any thread"));
}

TEST_F(WindowsCommands, SourceLines) {
    const std::string here = run(".ecxr; lsa .");
    EXPECT_THAT(here, ContainsRegex("\n>  *[0-9]+:     if \\(k == 42\\)[^\n]*// the null write\n"));
    const std::string lines = here.substr(here.find("????????\n") + 9);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 10) << lines;
    // Further on, and which line that would be.
    EXPECT_THAT(run("lsa crash!parse; .echo ---; ls; lsc"),
                ContainsRegex("NOINLINE int parse(.|\n)*---\n(.|\n)*readFrom(.|\n)*Current: "
                              "[^\n]*crash.cpp\\([0-9]+\\)\n"));
    EXPECT_THAT(run("lsa crash!parse, 1, 2"),
                StartsWith("      1: // A Windows program that goes"));
    EXPECT_THAT(run("lsa crash!parse; ls 2, 1"), EndsWith("\n      2: // to the file its second "
                                                          "names, with the MINIDUMP_TYPE its third "
                                                          "gives in hex; a fourth says how\n"));
    EXPECT_THAT(run("ls 0"), HasSubstr("decimal"));
    EXPECT_THAT(run("lsa 10"), HasSubstr("no line information"));
    EXPECT_EQ(run(".srcpath"), "Source search path is: <empty>\n");
    EXPECT_EQ(script(".srcpath /a\n.srcpath+ /b\n"),
              "Source search path is: /a\nSource search path is: /a;/b\n");
}

TEST_F(WindowsCommands, PseudoRegisters) {
    EXPECT_THAT(run(".ecxr; r $ra; ln @$ra"),
                ContainsRegex("\\$ra=[0-9a-f]{16}\n(.|\n)*crash!crasher\\+"));
    EXPECT_THAT(run(".ecxr; r $retreg; r rax"),
                ContainsRegex("\\$retreg=([0-9a-f]{16})\nrax=[0-9a-f]{16}\n$"));
    EXPECT_THAT(run("~0s; ? @$peb == poi(@$teb + 60); ? @$ip == @rip; ? @$csp == @rsp"),
                EndsWith("= 00000000`00000001\nEvaluate expression: 1 = 00000000`00000001\n"
                         "Evaluate expression: 1 = 00000000`00000001\n"));
    EXPECT_THAT(run("? @$ptrsize; ? @$pagesize; ? @$tpid == poi(@$teb + 40)"),
                HasSubstr("Evaluate expression: 8 = 00000000`00000008\n"
                          "Evaluate expression: 4096 = 00000000`00001000\n"
                          "Evaluate expression: 1 = "));
}

TEST_F(WindowsCommands, AliasesAndScripts) {
    EXPECT_EQ(script("as /x Where @$peb\nal\n"),
              "  Alias            Value  \n -------          ------- \n"
              " Where            " +
                  fmt::format("{:#x}", numberOf("? @$peb")) + " \n");
    EXPECT_EQ(script("as /ma Name poi(crash!mainJob+10)\n.echo ${Name}\nad Name\nal\n"),
              "main job\nNo aliases\n");
    EXPECT_THAT(script("as top k 1\n~5s\ntop\n"), HasSubstr("crash!addInlined+0x5"));
    EXPECT_EQ(
        script(".foreach (m { lm1m }) { .if ($sicmp(\"${m}\", \"crash\") == 0) { .echo m } }\n"),
        "crash\n");
    EXPECT_EQ(script(".foreach /pS 1 /ps 1 /s (w \"a b c d\") { .echo w }\n"), "b\nd\n");
    EXPECT_EQ(script(".if (dwo(crash!mainJob) == 7) { .echo seven } .else { .echo other }\n"),
              "seven\n");
    EXPECT_EQ(script("r $t0 = 0\n.while (@$t0 < 3) { r $t0 = @$t0 + 1; .printf \"%d\", @$t0 }\n"),
              "123");
    EXPECT_THAT(script(".printf \"%ma %p %y\\n\", poi(crash!mainJob+10), 12, crash!parse\n"),
                MatchesRegex("main job 0000000000000012 crash!parse \\(00000001`4[0-9a-f]+\\)\n"));
    EXPECT_EQ(script(".catch { .echo a; nosuch; .echo b }\n.echo c\n"),
              "a\nUnknown command 'nosuch' (.help lists them)\nc\n");
}

TEST_F(WindowsCommands, Logs) {
    const std::string log = wine_->file("session.log");
    EXPECT_EQ(
        script(".logopen " + log + "\n.logfile\n.echo kept\n.logclose\n.logfile\n.logclose\n"),
        "Opened log file '" + log + "'\nLog '" + log + "' open\nkept\nClosing open log file " +
            log + "\nNo log file open\n");
    // A second one ends the first; a name with the time in it.
    EXPECT_THAT(script(".logappend " + log + "\n.echo more\n.logopen /t " + log + "\n"),
                ContainsRegex("more\nClosing open log file [^\n]*\nOpened log file "
                              "'[^\n]*session_[0-9a-f]+_20[0-9]{2}-[0-9-]+_[0-9-]+\\.log'\n"));
    std::ifstream written(log);
    const std::string kept(std::istreambuf_iterator<char>(written), {});
    EXPECT_THAT(kept, HasSubstr("kept\n"));
    EXPECT_THAT(kept, HasSubstr("more\n"));
    EXPECT_THAT(kept, Not(HasSubstr("No log file open")));
    EXPECT_THAT(run(".logopen " + dump("null", "2")), HasSubstr("would overwrite the dump"));
}

}  // namespace
}  // namespace icecore::tests
