// Dumps that Wine's MiniDumpWriteDump makes of a Windows program (tests/targets/windows/crash.cpp):
// their stacks, exceptions and words are held against the program's source, llvm-symbolizer and
// lldb.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/lldb.h"
#include "support/windows_build.h"
#include "support/windows_crashes.h"

namespace icecore::tests {
namespace {

using Json = nlohmann::json;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class WindowsDumps : public WindowsCrashes {
protected:
    static Json analysis(const std::string& how, const std::string& type = "0") {
        const std::string file = dump(how, type);
        EXPECT_NE(file, "") << "no dump of " << how;
        const ShellOutput output =
            shell(program() + " analyze --json " + symbols() + file + " 2>/dev/null");
        const Json json = Json::parse(output.text, nullptr, false);
        EXPECT_FALSE(json.is_discarded()) << output.text;
        return json;
    }
    /// The functions of a stack in crash.exe by LLVM's reader of the PDB, inlined ones left out.
    static std::vector<std::string> namesByLlvm(const Json& thread) {
        std::vector<std::string> names;
        for (const Json& frame : thread["frames"]) {
            if (frame.value("trust", "") == "inline" || frame.value("module", "") != "crash.exe")
                continue;
            auto offset = parseHex(frame["module_offset"].get<std::string>());
            if (frame["index"] != 0) --offset;
            const ShellOutput output =
                shell(fmt::format("llvm-symbolizer-19 --relative-address --no-inlines "
                                  "--functions=linkage --no-demangle --obj={} {:#x} | head -1",
                                  exe(), offset));
            names.emplace_back(trim(output.text));
        }
        return names;
    }
    static std::uint64_t parseHex(const std::string& text) {
        return std::strtoull(text.c_str(), nullptr, 16);
    }
    static Json crashed(const Json& analysis) {
        for (const Json& thread : analysis["threads"]) {
            if (thread.value("crashed", false)) return thread;
        }
        return {};
    }
    static bool has(const std::vector<std::string>& names, std::string_view part) {
        return std::ranges::any_of(
            names, [&](const std::string& name) { return name.find(part) != std::string::npos; });
    }
};

TEST_F(WindowsDumps, ANullWriteInAThread) {
    const Json json = analysis("null");
    EXPECT_EQ(json["system"]["os"], "Windows");
    EXPECT_EQ(json["exception"]["code"], "0xc0000005");
    EXPECT_EQ(json["exception"]["name"], "STATUS_ACCESS_VIOLATION");
    EXPECT_EQ(json["exception"]["access"], "write");
    EXPECT_EQ(json["exception"]["fault_address"], "0x0");
    const Json thread = crashed(json);
    const auto names = namesByLlvm(thread);
    ASSERT_GE(names.size(), 2U) << thread.dump(1);
    EXPECT_NE(names[0].find("compute"), std::string::npos) << names[0];
    EXPECT_NE(names[1].find("crasher"), std::string::npos) << names[1];
    // Every frame behind the first comes from the unwind tables of some image.
    for (const Json& frame : thread["frames"]) {
        if (frame["index"] == 0 || frame["trust"] == "inline") continue;
        EXPECT_EQ(frame["trust"],
                  frame["pc"] == thread["frames"][0]["pc"] ? "context" : "unwind-info");
    }
    EXPECT_NE(json["verdict"]["bucket"].get<std::string>().find("NULL_POINTER_WRITE"),
              std::string::npos);
    EXPECT_EQ(json["verdict"]["module_name"], "crash");
}

TEST_F(WindowsDumps, ThreadsThatWaitAreFollowedToTheirStart) {
    const Json json = analysis("null");
    std::size_t workers = 0;
    for (const Json& thread : json["threads"]) {
        const auto names = namesByLlvm(thread);
        if (!has(names, "waitInDepth")) continue;
        ++workers;
        EXPECT_NE(names.back().find("worker"), std::string::npos) << names.back();
        const auto depth =
            static_cast<std::size_t>(std::ranges::count_if(names, [](const std::string& name) {
                return name.find("waitInDepth") != std::string::npos;
            }));
        EXPECT_GE(depth, 3U);
        EXPECT_LE(depth, 5U);
        EXPECT_GT(thread["frames"].size(), names.size() + 1) << "Wine's own frames are there";
    }
    EXPECT_EQ(workers, 3U);
}

/// A thread that waits in its handler: ntdll's own frames, then what the exception interrupted.
TEST_F(WindowsDumps, StacksLeadThroughTheExceptionDispatcher) {
    const Json json = analysis("inhandler");
    EXPECT_EQ(json["exception"]["fault_address"], "0x8");
    // The thread's own stack, not that of the exception.
    const std::string all = open(dump("inhandler"), "~*k");
    const std::size_t dispatcher = all.find("ntdll!KiUserExceptionDispatcher+0x");
    ASSERT_NE(dispatcher, std::string::npos) << all;
    const std::size_t begin = all.rfind("Child-SP", dispatcher), end = all.find("\n\n", dispatcher);
    const std::string stack = all.substr(begin, end - begin);
    EXPECT_NE(stack.find("::handler+0x"), std::string::npos) << stack;
    EXPECT_EQ(stack.find("WARNING"), std::string::npos) << stack;
    // The interrupted instruction is the function's first, which no call stands before.
    std::vector<std::string> below;
    const std::string rest = all.substr(dispatcher, end - dispatcher);
    for (const std::string_view line : split(rest, '\n'))
        below.emplace_back(line);
    ASSERT_GE(below.size(), 4U);
    EXPECT_THAT(below[1], HasSubstr(" crash!readFrom ["));
    EXPECT_THAT(below[2], HasSubstr(" crash!crasher+0x"));
    EXPECT_THAT(below[3], HasSubstr(" kernel32!BaseThreadInitThunk+0x"));
}

TEST_F(WindowsDumps, EachWayToEndInWords) {
    const struct {
        const char *how, *code, *name, *summary;
    } ways[] = {
        {"throw", "0xe06d7363", "CPP_EXCEPTION", "FormatError"},
        {"divide", "0xc0000094", "STATUS_INTEGER_DIVIDE_BY_ZERO", "divi"},
        {"abort", "0x40000015", "STATUS_FATAL_APP_EXIT", "abort"},
        {"clr", "0xe0434352", "CLR_EXCEPTION", "System.InvalidOperationException"},
        {"fastfail", "0xc0000409", "STATUS_STACK_BUFFER_OVERRUN", "stack cookie"},
        {"callnull", "0xc0000005", "STATUS_ACCESS_VIOLATION", ""},
        {"noncanonical", "0xc0000005", "STATUS_ACCESS_VIOLATION", ""},
        {"execdata", "0xc0000005", "STATUS_ACCESS_VIOLATION", ""},
        {"guard", "0x80000001", "STATUS_GUARD_PAGE_VIOLATION", "in pages that"},
        {"heap", "0xc0000374", "STATUS_HEAP_CORRUPTION", "the heap, which found itself corrupt"},
        {"overflow", "0xc00000fd", "STATUS_STACK_OVERFLOW", ""},
    };
    std::vector<std::pair<std::string, std::string>> wanted;
    for (const auto& way : ways)
        wanted.emplace_back(way.how, "0");
    prepare(wanted);
    for (const auto& way : ways) {
        SCOPED_TRACE(way.how);
        const Json json = analysis(way.how);
        EXPECT_EQ(json["exception"]["code"], way.code);
        EXPECT_EQ(json["exception"]["name"], way.name);
        EXPECT_NE(json["verdict"]["summary"].get<std::string>().find(way.summary),
                  std::string::npos)
            << json["verdict"]["summary"];
        EXPECT_TRUE(has(namesByLlvm(crashed(json)), "crasher") ||
                    std::string_view(way.how) == "overflow")
            << crashed(json).dump(1);
        EXPECT_EQ(json["verdict"]["module_name"], "crash");
    }
}

/// What lldb sees in the program's own module: it has the PDB beside the image.
TEST_F(WindowsDumps, LldbSeesTheSameCallsOfTheCrash) {
    if (shell("command -v lldb-14").status != 0) GTEST_SKIP() << "lldb-14 is not installed";
    const std::string said = lldb(fmt::format(
        "-o 'target create {} --core {}' -o 'thread backtrace all'", exe(), dump("null")));
    // Out of ntdll, where the other threads wait, it does not find.
    for (const char* call : {"addInlined", "twiceInlined", "compute", "crasher"})
        EXPECT_THAT(said, HasSubstr(call)) << said;
    // Each physical frame of ours in the program is one of lldb's, by its address.
    const Json thread = crashed(analysis("null"));
    std::size_t compared = 0;
    for (const Json& frame : thread["frames"]) {
        if (frame.value("module", "") != "crash.exe") continue;
        ++compared;
        EXPECT_THAT(said, HasSubstr(fmt::format("0x{:016x} crash.exe`",
                                                parseHex(frame["pc"].get<std::string>()))));
    }
    EXPECT_GE(compared, 4U);
}

TEST_F(WindowsDumps, AFullDumpHasItAllInMemory) {
    // Without the program's file: its tables are in the dump.
    const std::string file = dump("null", "2");
    ASSERT_NE(file, "");
    const std::string text =
        shell(program() + " open " + file + " -c '~*k' --symbols " + Wine::libraries() + " 2>&1")
            .text;
    EXPECT_NE(text.find("crash+0x"), std::string::npos) << text;
    EXPECT_NE(text.find("kernel32!"), std::string::npos) << text;
}

/// Normal, with data segments, handles, thread information, all memory, and all memory with all of
/// these, regions, unloaded modules, thread data and tokens.
TEST_F(WindowsDumps, EachTypeOfDumpHasTheSameStack) {
    prepare({{"null", "1"}, {"null", "4"}, {"null", "1000"}});
    const Json plain = crashed(analysis("null"));
    for (const char* type : {"1", "4", "1000", "2", "61927"}) {
        SCOPED_TRACE(type);
        const Json other = crashed(analysis("null", type));
        ASSERT_EQ(other["frames"].size(), plain["frames"].size());
        for (std::size_t i = 0; i < plain["frames"].size(); ++i) {
            for (const char* field : {"pc", "function", "line", "trust", "module"})
                EXPECT_EQ(other["frames"][i].value(field, Json()),
                          plain["frames"][i].value(field, Json()))
                    << i << " " << field;
        }
    }
    // The files say of which type they are, and what they consist of.
    for (const char* type : {"1000", "61927"}) {
        const std::string parts = open(dump("null", type), ".dumpdebug");
        EXPECT_THAT(parts, HasSubstr(fmt::format("\nFlags           {:0>8}\n", type)));
        EXPECT_THAT(parts, HasSubstr("00001000 MiniDumpWithThreadInfo\n"));
        EXPECT_THAT(parts, HasSubstr(": type ThreadListStream (3), size 00000124, RVA "));
        const bool full = (parseHex(type) & 2U) != 0;
        EXPECT_EQ(parts.find(": type Memory64ListStream (9)") != std::string::npos, full);
        EXPECT_EQ(parts.find(": type MemoryListStream (5)") != std::string::npos, !full);
        EXPECT_THAT(parts, HasSubstr("\n  ExceptionCode C0000005\n"));
        EXPECT_THAT(parts, Not(HasSubstr("Damaged")));
    }
}

/// Nobody has a file of this process: no unwind tables, no code but the bytes around each thread's
/// instruction. The calls of the crash are found all the same, as guesses and called so, and chance
/// adds twelve of them to a stack at most.
TEST_F(WindowsDumps, WithoutAnyFileTheCallsOfTheCrashAreGuessed) {
    const std::string copy = wine_->file("gone.exe"), file = wine_->file("gone.dmp");
    std::filesystem::copy_file(exe(), copy);
    ASSERT_EQ(wine_->run(copy + " null gone.dmp 0"), 0);
    std::filesystem::remove(copy);
    const std::string text =
        shell("cd / && " + program() + " analyze --json " + file + " 2>/dev/null").text;
    const Json json = Json::parse(text, nullptr, false);
    ASSERT_TRUE(json.is_object()) << text;
    std::vector<std::string> found;
    const Json guessed = crashed(json), known = crashed(analysis("null"));
    for (const Json& frame : guessed["frames"]) {
        found.push_back(frame.value("module_offset", ""));
        EXPECT_EQ(frame["trust"], frame["index"] == 0 ? "context" : "scan");
    }
    // The program's two frames and that of kernel32 which began the thread. (The outermost return
    // address, in RtlUserThreadStart, is a multiple of eight in Wine 8, and so taken for a pointer
    // to data.)
    constexpr std::size_t calls = 3;
    std::size_t compared = 0;
    for (const Json& frame : known["frames"]) {
        if (frame["trust"] == "inline" || compared == calls) continue;
        EXPECT_THAT(found, testing::Contains(frame.value("module_offset", "?"))) << frame;
        ++compared;
    }
    EXPECT_EQ(compared, calls);
    for (const Json& thread : json["threads"]) {
        std::size_t inARow = 0;
        for (const Json& frame : thread["frames"]) {
            inARow = frame["trust"] == "scan" ? inARow + 1 : 0;
            EXPECT_LE(inARow, 12U) << thread.dump(1);
        }
    }
}

TEST_F(WindowsDumps, ThreadsThatHang) {
    const Json json = analysis("hang");
    EXPECT_FALSE(json.contains("exception"));
    std::size_t takers = 0;
    for (const Json& thread : json["threads"])
        takers += has(namesByLlvm(thread), "takeBoth") ? 1 : 0;
    EXPECT_EQ(takers, 2U);
}

TEST_F(WindowsDumps, TheWordsOfWinDbg) {
    const std::string file = dump("null");
    ASSERT_NE(file, "");
    const std::string record = open(file, ".exr -1");
    EXPECT_NE(record.find("   ExceptionCode: c0000005 (Access violation)\n"), std::string::npos)
        << record;
    EXPECT_NE(record.find("NumberParameters: 2\n"), std::string::npos);
    EXPECT_NE(record.find("   Parameter[0]: 0000000000000001\n"), std::string::npos);
    EXPECT_NE(record.find("Attempt to write to address 0000000000000000\n"), std::string::npos);
    const std::string event = open(file, ".lastevent");
    EXPECT_NE(event.find(": Access violation - code c0000005 (first/second chance not available)"),
              std::string::npos)
        << event;
    const std::string fast = open(dump("fastfail"), ".exr -1");
    EXPECT_NE(fast.find("Subcode: 0x2 FAST_FAIL_STACK_COOKIE_CHECK_FAILURE"), std::string::npos)
        << fast;
    const std::string info = shell(program() + " info " + file).text;
    EXPECT_NE(info.find("STATUS_ACCESS_VIOLATION"), std::string::npos) << info;
}

TEST_F(WindowsDumps, BlocksOfProcessAndThread) {
    const std::string text = open(dump("null", "2"), "!peb; .ecxr; !teb; !gle; ? $exentry");
    EXPECT_THAT(text, HasSubstr("PEB at "));
    EXPECT_THAT(text, HasSubstr("    BeingDebugged:            No\n"));
    EXPECT_THAT(text, ContainsRegex("    ImageBaseAddress:         0*1`?40000000\n"));
    EXPECT_THAT(text, ContainsRegex("    Ldr.Initialized: +Yes\n"));
    EXPECT_THAT(text, ContainsRegex("[0-9a-f]+ [0-9a-f]{8} [^\n]*\\\\ntdll.dll\n"));
    EXPECT_THAT(text, ContainsRegex("    CommandLine: +'[^\n]*crash.exe.? null null-2.dmp 2'\n"));
    EXPECT_THAT(text, ContainsRegex("        WINDIR=|        windir=|        SystemRoot="));
    EXPECT_THAT(text, HasSubstr("TEB at "));
    EXPECT_THAT(text, ContainsRegex("    LastErrorValue: +[0-9]+\n"));
    EXPECT_THAT(text, ContainsRegex("LastErrorValue: \\(Win32\\) (0x|0 )"));
    EXPECT_THAT(text, ContainsRegex("Evaluate expression: [0-9]+ = 00000001`4000"));
    // In a small dump the TEB may be there, and what is not says so.
    const std::string small = open(dump("null"), ".ecxr; !gle; !peb");
    EXPECT_THAT(small, AnyOf(HasSubstr("LastErrorValue: (Win32)"), HasSubstr("not in this dump")));
}

TEST_F(WindowsDumps, ExceptionsAndContextsInMemory) {
    const std::string shown = open(dump("null", "2"),
                                   ".exr poi(poi(crash!pointersOfException)); "
                                   ".cxr poi(poi(crash!pointersOfException)+8); k 2; .exr 10");
    EXPECT_THAT(shown, HasSubstr("   ExceptionCode: c0000005 (Access violation)\n"));
    EXPECT_THAT(shown, HasSubstr("NumberParameters: 2\n   Parameter[0]: 0000000000000001\n"));
    EXPECT_THAT(shown, HasSubstr("crash!compute"));
    EXPECT_THAT(shown, HasSubstr("0x10"));
}

/// The seed's commands, and what else a session needs.
TEST_F(WindowsDumps, CommandsOfASession) {
    const std::string file = dump("null", "2");
    const auto run = [&](const std::string& commands) { return open(file, commands); };
    EXPECT_THAT(run("~*k"), ContainsRegex("Id: [0-9a-f]+\\.[0-9a-f]+ [^\n]*Teb: [0-9a-f]{8}`"));
    EXPECT_THAT(run("~1s; ~."), ContainsRegex("\n\\. +1  Id: "));
    EXPECT_THAT(run(".ecxr; kb 2"), ContainsRegex("RetAddr +: Args to Child"));
    EXPECT_THAT(run(".cls; !analyze -v -f"), HasSubstr("FAILURE_BUCKET_ID"));
    EXPECT_THAT(run("lm -v"), HasSubstr("    Image name: crash.exe\n"));
    EXPECT_THAT(run(".lastevent"), HasSubstr("Access violation - code c0000005"));
    EXPECT_THAT(run("~*e .echo ${$tid}; ~*e r $t0 = @$teb; ? @$t0 & fff"),
                HasSubstr("00000000`00000000\n"));
    EXPECT_THAT(run("!uniqstack"), HasSubstr("waitInDepth"));
    EXPECT_THAT(run("!findstack compute 1"), HasSubstr("crash!compute"));
    EXPECT_THAT(run("!address @rsp"), HasSubstr("Content source: "));
    EXPECT_THAT(run("!address -summary"), HasSubstr("--- Usage Summary ------"));
    EXPECT_THAT(run("!error c0000005"), HasSubstr("STATUS_ACCESS_VIOLATION"));
    EXPECT_THAT(run("!error 5"), HasSubstr("ERROR_ACCESS_DENIED"));
    EXPECT_THAT(run(".foreach (m { lm1m }) { .printf \"<%p>\", ${m} }"),
                HasSubstr("<0000000140000000>"));
    EXPECT_THAT(run(".effmach"), HasSubstr("x64 (AMD64)"));
    EXPECT_THAT(run("!pebb"), HasSubstr("did you mean"));
    EXPECT_THAT(run(".symfix /tmp/store"),
                HasSubstr("srv*/tmp/store*https://msdl.microsoft.com/download/symbols"));
}

TEST_F(WindowsDumps, FilesThatDoNotMatchAreRefusedAndForced) {
    const std::string file = dump("null", "2");
    ASSERT_NE(file, "");
    // Another build of a program with the same name: its PDB has another GUID.
    const Scratch scratch;
    ASSERT_EQ(buildForWindows(scratch.file(""), "extern \"C\" int start() { return 1; }",
                              {.link = "/subsystem:console", .name = "crash", .extension = ".exe"}),
              "");
    const auto run = [&](const std::string& commands) {
        return shell("cd / && " + program() + " open --symbols " + scratch.file("") + " " + file +
                     " -c '" + commands + "' 2>&1")
            .text;
    };
    // The dump itself names where its PDB was; a dump of elsewhere has no such file.
    const std::string noisy = run("!sym noisy; .reload /f crash");
    EXPECT_THAT(noisy, HasSubstr("noisy mode"));
    EXPECT_THAT(noisy, ContainsRegex("SYMBOLS:  crash: [^\n]*crash\\.pdb[^\n]*"));
    EXPECT_THAT(noisy, HasSubstr("not "));
    EXPECT_THAT(run("!sym quiet; .reload /f crash"), Not(HasSubstr("SYMBOLS:")));
    const std::string forced = run(".reload /i /f crash; lm m crash");
    EXPECT_THAT(forced, HasSubstr("FORCED"));
}

}  // namespace
}  // namespace icecore::tests
