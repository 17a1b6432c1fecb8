// Dumps of 32-bit processes on 64-bit Windows (WOW64), taken from the 64-bit side: a program of
// real 32-bit code with its PDB, in a process whose blocks and stacks are made by hand
// (support/wow64_dump.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>

#include "formats/minidump/minidump.h"
#include "model/wow64.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/windows_build.h"
#include "support/wow64_dump.h"

namespace icecore::tests {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* programSource = R"cpp(
    extern "C" {
    __declspec(dllexport) __declspec(noinline) int innermost(volatile int* where, int value) {
        volatile char room[64];
        room[0] = 1;
        *where = value;
        return *where + room[0];
    }
    __declspec(dllexport) __declspec(noinline) int middle(int value) {
        volatile char room[64];
        room[1] = 1;
        return innermost(reinterpret_cast<volatile int*>(0x10), value * 2) + room[1];
    }
    __declspec(dllexport) int start() {
        volatile char room[64];
        room[2] = 1;
        return middle(5) + room[2];
    }
    }
)cpp";

/// What the disassembler tells of one function: how far its frame reaches below the saved ebp,
/// where its call returns to, where it writes through a pointer in eax.
struct Function {
    std::uint32_t begin = 0, frame = 0, callReturns = 0, store = 0;
};

Function functionIn(const std::string& listing, const std::string& name) {
    Function function;
    const std::size_t at = listing.find(" <" + name + ">:");
    if (at == std::string::npos) return function;
    const std::string body = listing.substr(at, listing.find("\n\n", at) - at);
    std::smatch found;
    const auto number = [&](const char* pattern) -> std::uint32_t {
        return std::regex_search(body, found, std::regex(pattern))
                   ? static_cast<std::uint32_t>(std::stoul(found[1].str(), nullptr, 16))
                   : 0;
    };
    function.begin = number("\n +([0-9a-f]+): +55 ");
    function.frame = number("subl\\s+\\$0x([0-9a-f]+), %esp");
    function.callReturns = number("calll[^\n]*\n +([0-9a-f]+):");
    function.store = number("\n +([0-9a-f]+):[^\n]*movl\\s+%ecx, \\(%eax\\)");
    return function;
}

std::vector<unsigned char> fileBytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
T wordAt(const std::vector<unsigned char>& bytes, std::size_t at) {
    T value{};
    if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

constexpr std::uint32_t imageBase = 0x400000, crashedId = 0x100, waitingId = 0x104;
constexpr std::uint64_t crashedTeb = 0x7fe000, waitingTeb = 0x7f6000, peb32 = 0x7fb000,
                        crashedArea = 0x9efd20, waitingArea = 0xaefd20;
constexpr std::uint64_t wow64Dll = 0x7ffb'2000'0000, ntdll64 = 0x7ffb'1000'0000,
                        wow64Cpu = 0x77cc'0000, ntdll32 = 0x7700'0000;

/// Where a thread stands in the program: registers and the stack that belongs to them.
struct Stand {
    std::uint32_t eip = 0, esp = 0, ebp = 0;
};

class Wow64Dumps : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!canBuildForWindows()) return;
        scratch_ = std::make_unique<Scratch>();
        WindowsBuild how;
        how.arch = "i686";
        how.link = "/subsystem:console /base:0x400000 /fixed";
        how.name = "app";
        how.extension = ".exe";
        ASSERT_EQ(buildForWindows(scratch_->file(""), programSource, how), "");
        listing_ = shell("llvm-objdump-19 -d " + scratch_->file("app.exe")).text;
        image_ = fileBytes(scratch_->file("app.exe"));
    }
    static void TearDownTestSuite() { scratch_.reset(); }
    void SetUp() override {
        if (!scratch_) GTEST_SKIP() << "clang-19 or lld-link-19 is not installed";
        for (const Function& function : {innermost_, middle_, start_})
            ASSERT_TRUE(function.begin != 0 && function.frame != 0) << listing_;
        ASSERT_NE(middle_.callReturns, 0U);
        ASSERT_NE(start_.callReturns, 0U);
        ASSERT_NE(innermost_.store, 0U);
    }

    /// The program's module, with the id of its PDB, and its code.
    void addProgram(Wow64Dump& dump) const {
        const auto header = wordAt<std::uint32_t>(image_, 0x3c);
        const auto sections = wordAt<std::uint16_t>(image_, header + 6);
        const std::size_t table = header + 24 + wordAt<std::uint16_t>(image_, header + 20);
        for (std::size_t i = 0; i < sections; ++i) {
            const std::size_t row = table + 40 * i;
            if (std::memcmp(image_.data() + row, ".text", 6) != 0) continue;
            const auto at = image_.begin() + wordAt<std::uint32_t>(image_, row + 20);
            dump.memory[imageBase + wordAt<std::uint32_t>(image_, row + 12)] = {
                at, at + wordAt<std::uint32_t>(image_, row + 16)};
        }
        constexpr std::string_view mark = "RSDS";
        const auto record = std::search(image_.begin(), image_.end(), mark.begin(), mark.end());
        ASSERT_NE(record, image_.end());
        const auto end = std::find(record + 24, image_.end(), 0);
        dump.modules.push_back({imageBase,
                                wordAt<std::uint32_t>(image_, header + 24 + 56),
                                wordAt<std::uint32_t>(image_, header + 8),
                                "C:\\work\\app.exe",
                                {record, end + 1}});
    }

    /// A 32-bit stack of a page below `top`, of start → middle → `deepest`; in innermost the thread
    /// stands where it writes, in middle behind its call.
    Stand addStack(Wow64Dump& dump, std::uint32_t top, bool inInnermost) const {
        Block stack(0x1000);
        const std::uint32_t begin = top - 0x1000;
        const auto put = [&](std::uint32_t at, std::uint32_t value) {
            stack.put<std::uint32_t>(at - begin, value);
        };
        std::uint32_t ebp = top - 0x14;  // start: nobody called it
        std::uint32_t esp = ebp - start_.frame;
        put(esp, 5);
        put(esp - 4, start_.callReturns);
        put(esp - 8, ebp);
        ebp = esp - 8;  // middle
        esp = ebp - middle_.frame;
        if (inInnermost) {
            put(esp, 0x10);
            put(esp + 4, 10);
            put(esp - 4, middle_.callReturns);
            put(esp - 8, ebp);
            ebp = esp - 8;
            esp = ebp - innermost_.frame;
        }
        dump.memory[begin] = stack.bytes();
        return {inInnermost ? innermost_.store : middle_.callReturns, esp, ebp};
    }

    /// The two environment blocks of a thread, and the stack's top in the 32-bit one.
    static void addBlocks(Wow64Dump& dump, std::uint64_t teb, std::uint64_t area,
                          std::uint32_t stackTop, std::uint32_t error) {
        Block wide(0x2000);
        wide.put<std::uint64_t>(0x08, area + 0x1000).put<std::uint64_t>(0x30, teb);
        wide.put<std::uint64_t>(0x60, 0x7fa000).put<std::uint64_t>(0x1488, area);
        wide.put<std::int32_t>(0x180c, 0x2000);
        dump.memory[teb] = wide.bytes();
        const auto narrowAt = static_cast<std::uint32_t>(teb + 0x2000);
        Block narrow(0x1000);
        narrow.put<std::uint32_t>(0x04, stackTop).put<std::uint32_t>(0x08, stackTop - 0x10000);
        narrow.put<std::uint32_t>(0x18, narrowAt).put<std::uint32_t>(0x20, 0x1a2c);
        narrow.put<std::uint32_t>(0x30, peb32).put<std::uint32_t>(0x34, error);
        dump.memory[narrowAt] = narrow.bytes();
    }

    /// Two threads: one in innermost, one in middle; both have gone to the 64-bit side.
    [[nodiscard]] Wow64Dump twoThreads() const {
        Wow64Dump dump;
        addProgram(dump);
        // In the order in which they were loaded, as Windows lists them.
        dump.modules.push_back({ntdll64, 0x1f5000, 3, R"(C:\Windows\System32\ntdll.dll)", {}});
        dump.modules.push_back({wow64Dll, 0x59000, 4, R"(C:\Windows\System32\wow64.dll)", {}});
        dump.modules.push_back({wow64Cpu, 0xa000, 2, R"(C:\Windows\System32\wow64cpu.dll)", {}});
        dump.modules.push_back({ntdll32, 0x1a4000, 1, R"(C:\Windows\SysWOW64\ntdll.dll)", {}});
        const Stand crashed = addStack(dump, 0x1a0000, true);
        const Stand waiting = addStack(dump, 0x2a0000, false);
        dump.memory[crashedArea] = cpuArea(crashed.eip, crashed.esp, crashed.ebp, 0x10).bytes();
        dump.memory[waitingArea] = cpuArea(waiting.eip, waiting.esp, waiting.ebp, 7).bytes();
        addBlocks(dump, crashedTeb, crashedArea, 0x1a0000, 5);
        addBlocks(dump, waitingTeb, waitingArea, 0x2a0000, 2);
        Block wideStack(0x800);
        wideStack.put<std::uint64_t>(0x10, wow64Dll + 0x6c8e);
        dump.memory[0x9ee500] = dump.memory[0xaee500] = wideStack.bytes();
        Block peb(0x1000);
        dump.memory[peb32] = peb.put<std::uint32_t>(0x08, imageBase).bytes();
        dump.threads = {{crashedId, crashedTeb, amd64Context(wow64Dll + 0x6000, 0x9ee500, 0x33)},
                        {waitingId, waitingTeb, amd64Context(wow64Cpu + 0x1cfc, 0xaee500, 0x33)}};
        return dump;
    }
    /// The crash as the system reports it while 32-bit code runs.
    [[nodiscard]] Wow64Dump crashedInCode() const {
        Wow64Dump dump = twoThreads();
        const Stand stand = addStack(dump, 0x1a0000, true);
        const Block context = amd64Context(stand.eip, stand.esp, 0x23, stand.ebp, 0x10);
        dump.event = {crashedId, 0xc0000005, stand.eip, 0x10, context};
        // What it left when it last went over is older.
        dump.memory[crashedArea] = cpuArea(0x77001000, 0x19f000, 0x19f100).bytes();
        dump.threads[0].context = context;
        return dump;
    }
    /// The crash as the layer reports it, which caught it first.
    [[nodiscard]] Wow64Dump reportedByLayer() const {
        Wow64Dump dump = twoThreads();
        dump.event = {crashedId, 0xc0000005, innermost_.store, 0x10,
                      amd64Context(wow64Dll + 0x1234, 0x9ee500, 0x33)};
        return dump;
    }

    static std::string write(const Wow64Dump& dump, const std::string& name = "wow.dmp") {
        const std::string text = scratch_->file(name + ".txt");
        std::ofstream(text) << dump.text();
        const ShellOutput built = shell(program() + " build --overwrite " + text + " -o " +
                                        scratch_->file(name) + " 2>&1");
        EXPECT_EQ(built.status, 0) << built.text;
        return scratch_->file(name);
    }
    static std::string open(const Wow64Dump& dump, const std::string& commands) {
        return shell(program() + " open --symbols " + scratch_->file("") + " " + write(dump) +
                     " -c '" + commands + "' 2>&1")
            .text;
    }
    static std::string analyze(const Wow64Dump& dump, const std::string& options = {}) {
        return shell(program() + " analyze --symbols " + scratch_->file("") + " " + options + " " +
                     write(dump) + " 2>&1")
            .text;
    }

    static inline std::unique_ptr<Scratch> scratch_;
    static inline std::string listing_;
    static inline std::vector<unsigned char> image_;
    const Function innermost_ = functionIn(listing_, "innermost"),
                   middle_ = functionIn(listing_, "middle"), start_ = functionIn(listing_, "start");
};

TEST_F(Wow64Dumps, OpenOnTheSideOfTheCrash) {
    for (const Wow64Dump& dump : {crashedInCode(), reportedByLayer()}) {
        const std::string text =
            open(dump, ".effmach; k; r eax; r eip; .ecxr; u @$ip L1; ? @$ptrsize; kb 1");
        // Addresses as dbgeng has them: of each frame its ebp.
        EXPECT_THAT(text, ContainsRegex(fmt::format(
                              "^Effective machine: x86 compatible .x86.\n"
                              "ChildEBP RetAddr      \n"
                              "{:08x} {:08x}     app!innermost\\+0x[0-9a-f]+ [^\n]*app.cpp @ 6.\n"
                              "{:08x} {:08x}     app!middle\\+0x[0-9a-f]+ [^\n]*app.cpp @ 12.\n"
                              "0019ffec 00000000     app!start\\+0x[0-9a-f]+ [^\n]*app.cpp @ 17.\n"
                              "eax=00000010\neip={:08x}\neax=00000010 ",
                              0x19ffec - start_.frame - middle_.frame - 16, middle_.callReturns,
                              0x19ffec - start_.frame - 8, start_.callReturns, innermost_.store)));
        EXPECT_THAT(text, HasSubstr("ds:002b:00000010=????????\n"));
        EXPECT_THAT(text, ContainsRegex(fmt::format(
                              "ChildEBP RetAddr      Args to Child              \n[0-9a-f]+ "
                              "{:08x}     00000010 0000000a 00000000 app!innermost",
                              middle_.callReturns)));
        EXPECT_THAT(text, HasSubstr("mov     dword ptr [eax],ecx\n"));
        EXPECT_THAT(text, HasSubstr("Evaluate expression: 4 = 00000004\n"));
    }
}

TEST_F(Wow64Dumps, OpenOnTheirOwnSideWithoutACrash) {
    EXPECT_THAT(open(twoThreads(), ".effmach; k; lm m ntdll*"),
                AllOf(StartsWith("Effective machine: x64 (AMD64)\n"), HasSubstr("wow64+0x6000\n"),
                      Not(HasSubstr("app!")), HasSubstr("ntdll_77000000 (deferred)")));
    Wow64Dump dump = reportedByLayer();
    dump.event->context = amd64Context(ntdll64 + 0x9000, 0x9ee500, 0x33);
    EXPECT_THAT(open(dump, ".effmach"), HasSubstr("AMD64")) << "a crash of 64-bit code";
}

TEST_F(Wow64Dumps, GoFromOneSideToTheOther) {
    const std::string text = open(crashedInCode(),
                                  ".effmach amd64; ? @$teb; ? @$peb; r rip; ~1s; r rip; "
                                  ".effmach x86; r eip; ? @$teb; ? @$peb; ~0s; .effmach .; "
                                  ".effmach #; !wow64exts.sw; !sw; .effmach arm64; .effmach z80");
    const auto at = [&](const std::string& part, std::size_t from = 0) {
        const std::size_t found = text.find(part, from);
        EXPECT_NE(found, std::string::npos) << part << " in\n" << text;
        return found;
    };
    std::size_t place = at("Effective machine: x64 (AMD64)\n");
    place = at("`007fe000\n", place);
    place = at("`007fa000\n", place);
    place = at(fmt::format("rip=00000000{:08x}\n", innermost_.store), place);
    place = at("rip=0000000077cc1cfc\n", place);
    place = at("Effective machine: x86 compatible (x86)\n", place);
    place = at(fmt::format("eip={:08x}\n", middle_.callReturns), place);
    place = at("007f8000\n", place);
    place = at("007fb000\n", place);
    place =
        at("Effective machine: x64 (AMD64)\nEffective machine: x86 compatible (x86)\n"
           "Switched to Host mode\nSwitched to Guest (WoW) mode\n",
           place);
    place = at("ran as x86 and x86_64: other machines are not emulated\n", place);
    at("there is no machine 'z80'", place);
}

TEST_F(Wow64Dumps, EveryThreadHasBothStacks) {
    const std::string text = open(reportedByLayer(), "~*k; !wow64exts.k; .effmach");
    const std::string second = text.substr(text.find("   1  Id: 0.104 Suspend: 0 Teb: 007f8000"));
    EXPECT_THAT(second, ContainsRegex(fmt::format("RetAddr +\n[0-9a-f]{{8}} {:08x}     app!middle",
                                                  start_.callReturns)));
    const std::size_t native = text.find("Walking Native Stack...\n");
    const std::size_t guest = text.find("Walking Guest (WoW) Stack...\n");
    ASSERT_TRUE(native < guest && guest != std::string::npos) << text;
    EXPECT_THAT(text.substr(native, guest - native), HasSubstr("wow64+0x"));
    EXPECT_THAT(text.substr(guest), HasSubstr("app!innermost"));
    EXPECT_THAT(text.substr(guest), HasSubstr("Effective machine: x86"));
}

TEST_F(Wow64Dumps, BlocksAreThoseOfTheSide) {
    const std::string narrow = open(crashedInCode(), "!teb; !peb; !gle");
    for (const char* line :
         {"TEB at 00800000\n", "    StackBase:            001a0000\n",
          "    PEB Address:          007fb000\n", "    LastErrorValue:       5\n",
          "PEB at 007fb000\n", "    ImageBaseAddress:         00400000\n", "ERROR_ACCESS_DENIED"})
        EXPECT_THAT(narrow, HasSubstr(line));
    const std::string wide = open(crashedInCode(), ".effmach amd64; !teb");
    EXPECT_THAT(wide, HasSubstr("TEB at 00000000`007fe000\n"));
    EXPECT_THAT(wide, HasSubstr("    StackBase:            00000000009f0d20\n"));
}

TEST_F(Wow64Dumps, MemoryIsReadInItsPointers) {
    const std::string text = open(twoThreads(),
                                  ".effmach x86; ~1s; dps @ebp+4 L1; ? poi(@ebp+4); "
                                  ".printf \"%p\\n\", @$ip; vertarget");
    EXPECT_THAT(text, ContainsRegex(fmt::format("{:08x}  {:08x} app!start\\+0x", 0x29ffa4U,
                                                start_.callReturns)));
    EXPECT_THAT(text, HasSubstr(fmt::format("Evaluate expression: {} = ", start_.callReturns)));
    EXPECT_THAT(text, HasSubstr(fmt::format("\n{:08x}\n", middle_.callReturns)));
    EXPECT_THAT(text, HasSubstr("Free x64\n")) << "the system stays what it is";
}

TEST_F(Wow64Dumps, AnalysedOnTheSideThatTells) {
    for (const Wow64Dump& dump : {crashedInCode(), reportedByLayer()}) {
        const std::string text = analyze(dump);
        EXPECT_THAT(text, HasSubstr("STATUS_ACCESS_VIOLATION_NULL_POINTER_WRITE_app!innermost\n"));
        EXPECT_THAT(text, ContainsRegex("mov dword ptr .eax., ecx\n"));
        EXPECT_THAT(text, ContainsRegex("\n   1 app!middle[^\n]*app.cpp:12\n   2 app!start"));
        EXPECT_THAT(text, HasSubstr("shown is the 32-bit side of the process (WOW64)"));
    }
    EXPECT_THAT(analyze(twoThreads(), "--json"),
                AllOf(HasSubstr("\"innermost\""), HasSubstr("\"middle\"")));
    Wow64Dump dump = reportedByLayer();
    dump.event->context = amd64Context(ntdll64 + 0x9000, 0x9ee500, 0x33);
    EXPECT_THAT(analyze(dump), Not(HasSubstr("app!innermost"))) << "a crash of 64-bit code";
}

TEST_F(Wow64Dumps, DamagedAreasStayHolesAndAreTold) {
    const auto told = [&](const Wow64Dump& dump) {
        return shell(program() + " info " + write(dump) + " 2>&1").text +
               open(dump, ".effmach x86; ~1s; ~*k; ~0s; k");
    };
    Wow64Dump dump = twoThreads();
    dump.memory[waitingArea].resize(100);
    std::string text = told(dump);
    EXPECT_THAT(text, HasSubstr("thread 104: of its CPU area, with its 32-bit registers, 100 of "
                                "720 bytes are there"));
    EXPECT_THAT(text, HasSubstr("the dump has no registers of this thread"));
    EXPECT_THAT(text, HasSubstr("app!innermost")) << "the other thread is whole";

    dump = twoThreads();
    dump.memory[waitingArea][2] = 0xc4;
    EXPECT_THAT(told(dump), HasSubstr("its CPU area is of machine 0x1c4, not x86"));

    dump = twoThreads();
    Block circle(0x2000);
    circle.put<std::uint64_t>(0, waitingTeb).put<std::uint64_t>(0x1488, waitingTeb + 0x1488);
    dump.memory[waitingTeb] = circle.bytes();
    text = told(dump);
    EXPECT_THAT(text, ContainsRegex("thread 104: its CPU area (is of machine|holds no CONTEXT)"));
    EXPECT_THAT(text, HasSubstr("thread 104: its 64-bit TEB leads to no 32-bit one"));

    // A small dump without the blocks: nothing is known, and nothing is made up.
    dump = twoThreads();
    for (const std::uint64_t address : {crashedTeb, waitingTeb, crashedArea, waitingArea})
        dump.memory.erase(address);
    text = told(dump);
    EXPECT_THAT(text, HasSubstr("of 2 threads the 32-bit registers are there of 0"));
    EXPECT_THAT(text, Not(HasSubstr("app!")));
}

/// What a reader may say of any such file: registers of x86 or none, and a way back.
void expectSound(const std::vector<std::byte>& file) {
    auto snapshot = minidump::open(memorySource(file, "dump"));
    if (!snapshot) return;
    Process& process = *snapshot->process;
    auto narrow = wow64Side(process);
    if (!narrow) return;
    ASSERT_EQ(narrow->threads.size(), process.threads.size());
    for (const ProcessSide::ThreadSide& thread : narrow->threads) {
        EXPECT_TRUE(!thread.context || thread.context->registers.arch() == Arch::x86);
        EXPECT_TRUE(!thread.tls || *thread.tls <= UINT32_MAX);
        EXPECT_TRUE(!thread.stack || thread.stack->end() <= UINT32_MAX);
    }
    const Listing<Thread> before = process.threads;
    exchangeSides(process, *narrow);
    exchangeSides(process, *narrow);
    EXPECT_EQ(process.threads, before);
}

TEST_F(Wow64Dumps, CutAnywhere) {
    const auto file = minidump::build(reportedByLayer().text());
    ASSERT_TRUE(file) << file.error().describe();
    for (std::size_t size = 0; size < file->size(); size += 101)
        expectSound({file->begin(), file->begin() + static_cast<std::ptrdiff_t>(size)});
    expectSound(*file);
}

TEST_F(Wow64Dumps, AnyWordThatLeadsToTheOtherSideMayBeWrong) {
    const std::vector<std::pair<std::uint64_t, std::size_t>> words = {{waitingTeb, 0},
                                                                      {waitingTeb, 0x1488},
                                                                      {waitingTeb, 0x148c},
                                                                      {waitingTeb, 0x180c},
                                                                      {waitingTeb + 0x2000, 4},
                                                                      {waitingTeb + 0x2000, 0x18},
                                                                      {waitingTeb + 0x2000, 0x30},
                                                                      {waitingArea, 0},
                                                                      {waitingArea, 4},
                                                                      {waitingArea, 4 + 0xb8},
                                                                      {waitingArea, 4 + 0xc4}};
    for (const auto& [block, offset] : words) {
        for (const std::uint32_t value :
             {0U, 1U, 0x7f6000U, 0x7f8000U, 0x7fffffffU, 0x80000000U, 0xfffffffcU, 0xffffffffU}) {
            Wow64Dump dump = twoThreads();
            std::memcpy(dump.memory.at(block).data() + offset, &value, sizeof value);
            const auto file = minidump::build(dump.text());
            ASSERT_TRUE(file) << file.error().describe();
            expectSound(*file);
        }
    }
}

}  // namespace
}  // namespace icecore::tests
