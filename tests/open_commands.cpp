// `icecore open` on a real core: what gdb and nm say of the same core is what we say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "open_core.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenCommands : public ::testing::Test {
protected:
    static void SetUpTestSuite() { core_ = std::make_unique<CrasherCore>(); }
    static void TearDownTestSuite() { core_.reset(); }
    void SetUp() override { ASSERT_TRUE(core_->made()) << "gdb made no core"; }
    static std::unique_ptr<CrasherCore> core_;
};
std::unique_ptr<CrasherCore> OpenCommands::core_;

/// Program counters and stack pointers of the physical frames of every thread, by thread id.
struct PlainFrame {
    std::uint64_t pc, sp;
    bool operator==(const PlainFrame&) const = default;
};
std::ostream& operator<<(std::ostream& out, const PlainFrame& frame) {
    return out << hex(frame.pc) << " at " << hex(frame.sp);
}
using PlainStacks = std::map<std::uint64_t, std::vector<PlainFrame>>;

/// Out of `~*k`: the sp of each frame and the pc of the frame it returns to.
PlainStacks stacksOf(const std::string& text) {
    PlainStacks stacks;
    std::vector<PlainFrame>* stack = nullptr;
    for (const auto& fields : fieldsOf(text)) {
        const auto id = std::ranges::find(fields, "Id:");
        if (id != fields.end() && id + 1 != fields.end()) {
            const std::string_view both = *(id + 1);
            stack = &stacks[*parseHex(both.substr(both.find('.') + 1))];
            continue;
        }
        if (stack == nullptr || fields.size() < 3 || fields[0].size() != 17) continue;
        const auto sp = parseHex(fields[0]);
        const auto returns = parseHex(fields[1]);
        if (sp && returns) stack->push_back({*returns, *sp});
    }
    return stacks;
}

TEST_F(OpenCommands, StacksOfAllThreadsAreGdbs) {
    const std::string script = core_->folder() + "/stacks.py";
    std::ofstream(script) << R"(
import gdb
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
    thread.switch()
    print("TID", thread.ptid[1])
    frames = []
    frame = gdb.newest_frame()
    while frame is not None:
        # Neither inlined calls nor frames that gdb infers from jumps have a place on the stack.
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            frames.append((int(frame.read_register("rsp")) & (2**64 - 1), frame.pc()))
        frame = frame.older()
    for (sp, _), (_, pc) in zip(frames, frames[1:] + [(0, 0)]):
        print("FRAME %x %x" % (sp, pc))
)";
    PlainStacks gdb;
    std::vector<PlainFrame>* stack = nullptr;
    // Fields are views: the answer must outlive the loop.
    const auto answer = core_->askGdb({"source " + script});
    for (const auto& fields : fieldsOf(answer)) {
        if (fields.size() == 2 && fields[0] == "TID") stack = &gdb[*parseDecimal(fields[1])];
        if (fields.size() == 3 && fields[0] == "FRAME" && stack != nullptr)
            stack->push_back({*parseHex(fields[2]), *parseHex(fields[1])});
    }
    ASSERT_GE(gdb.size(), 5U);
    const Output ours = core_->open("~*k");
    EXPECT_EQ(ours.status, 0);
    EXPECT_EQ(stacksOf(ours.text), gdb) << ours.text;
    EXPECT_THAT(ours.text, HasSubstr("crasher!shop::close_books"));
}

TEST_F(OpenCommands, RegistersAreGdbs) {
    const std::string ours = core_->open("r").text;
    std::size_t compared = 0;
    const auto registersAnswer = core_->askGdb({"info registers"});
    for (const auto& fields : fieldsOf(registersAnswer)) {
        if (fields.size() < 2 || !(fields[0].starts_with("r"))) continue;
        EXPECT_THAT(ours,
                    HasSubstr(std::string(fields[0]) + "=" + hexDigits(*parseHex(fields[1]), 16)));
        ++compared;
    }
    EXPECT_EQ(compared, 17U);
}

/// The numbers behind the colons of gdb's `x`.
std::vector<std::uint64_t> valuesOfGdb(const std::string& text) {
    std::vector<std::uint64_t> values;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t colon = line.find(":\t");
        if (!line.starts_with("0x") || colon == std::string_view::npos) continue;
        for (const std::string_view word : splitBlanks(line.substr(colon + 1)))
            if (const auto value = parseHex(word)) values.push_back(*value);
    }
    return values;
}

std::vector<std::uint64_t> valuesOfOurs(std::string text, std::size_t perLine) {
    std::vector<std::uint64_t> values;
    std::ranges::replace(text, '-', ' ');
    for (const auto& fields : fieldsOf(text)) {
        for (std::size_t i = 1; i < fields.size() && i <= perLine; ++i)
            if (const auto value = parseHex(fields[i])) values.push_back(*value);
    }
    return values;
}

TEST_F(OpenCommands, MemoryIsGdbs) {
    for (const std::string_view reg : {"rsp", "rip"}) {
        const std::string where = std::string("$") + std::string(reg);
        const std::string ours = "@" + std::string(reg);
        EXPECT_EQ(valuesOfOurs(core_->open("db " + ours + " L40").text, 16),
                  valuesOfGdb(core_->askGdb({"x/64xb " + where})));
        EXPECT_EQ(valuesOfOurs(core_->open("dd " + ours + " L10").text, 4),
                  valuesOfGdb(core_->askGdb({"x/16xw " + where})));
        EXPECT_EQ(valuesOfOurs(core_->open("dq " + ours + " L8").text, 2),
                  valuesOfGdb(core_->askGdb({"x/8xg " + where})));
    }
    EXPECT_THAT(core_->open("db 0 L10").text, HasSubstr("?? ?? ?? ??"));
    EXPECT_THAT(core_->open("db 0 L10").text, Not(HasSubstr("00 00")));
}

/// Addresses and mnemonics of gdb's "   0x… <+9>:\tcmp …" lines.
std::map<std::uint64_t, std::string> codeOfGdb(const std::string& text) {
    std::map<std::uint64_t, std::string> code;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t colon = line.find(":\t");
        const std::size_t start = line.find("0x");
        if (start == std::string_view::npos || colon == std::string_view::npos || start > colon)
            continue;
        const auto address = parseHex(splitBlanks(line.substr(start, colon - start)).front());
        const auto words = splitBlanks(line.substr(colon + 2));
        if (address && !words.empty()) code[*address] = std::string(words.front());
    }
    return code;
}

std::map<std::uint64_t, std::string> codeOfOurs(const std::string& text) {
    std::map<std::uint64_t, std::string> code;
    for (auto fields : fieldsOf(text)) {
        if (parseDecimal(fields[0]) && fields[0].size() < 8) fields.erase(fields.begin());
        if (fields.size() < 3 || fields[0].size() != 17) continue;
        if (const auto address = parseHex(fields[0])) code[*address] = std::string(fields[2]);
    }
    return code;
}

TEST_F(OpenCommands, DisassemblyIsGdbs) {
    const auto gdb = codeOfGdb(core_->askGdb({"x/12i $pc"}));
    ASSERT_EQ(gdb.size(), 12U);
    EXPECT_EQ(codeOfOurs(core_->open("u @rip Lc").text), gdb);
}

TEST_F(OpenCommands, AFunctionsCodeIsThatOfGdb) {
    for (const std::string name : {"shop::sum_of_ids", "shop::close_books"}) {
        const auto gdb = codeOfGdb(core_->askGdb({"disassemble " + name}));
        ASSERT_FALSE(gdb.empty());
        EXPECT_EQ(codeOfOurs(core_->open("uf crasher!" + name).text), gdb) << name;
    }
}

TEST_F(OpenCommands, InstructionsBeforeAreThoseOfTheFunction) {
    const auto gdb = codeOfGdb(core_->askGdb({"disassemble shop::close_books"}));
    ASSERT_GT(gdb.size(), 6U);
    const auto at = std::next(gdb.begin(), 5);
    const auto ours = codeOfOurs(core_->open("ub " + hex(at->first) + " L3").text);
    EXPECT_EQ(ours, (std::map<std::uint64_t, std::string>(std::next(gdb.begin(), 2), at)));
}

TEST_F(OpenCommands, ModulesAreGdbs) {
    const Output ours = core_->open("lm f");
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& fields : fieldsOf(ours.text)) {
        const auto begin = parseHex(fields[0]);
        const auto end = fields.size() > 1 ? parseHex(fields[1]) : std::nullopt;
        if (fields[0].size() == 17 && begin && end) ranges.emplace_back(*begin, *end);
    }
    std::size_t compared = 0;
    const auto librariesAnswer = core_->askGdb({"info sharedlibrary"});
    for (const auto& fields : fieldsOf(librariesAnswer)) {
        if (fields.size() < 4 || !fields[0].starts_with("0x")) continue;
        const std::uint64_t from = *parseHex(fields[0]), to = *parseHex(fields[1]);
        EXPECT_TRUE(std::ranges::any_of(ranges, [&](const auto& range) {
            return range.first <= from && to <= range.second;
        })) << fields.back();
        ++compared;
    }
    EXPECT_GE(compared, 4U);
}

TEST_F(OpenCommands, SymbolsAreThoseOfNm) {
    const auto module = fieldsOf(core_->open("lm m crasher").text);
    ASSERT_GE(module.size(), 2U);
    const std::uint64_t base = *parseHex(module[1][0]);
    std::size_t compared = 0;
    const std::string names = shell("nm -C --defined-only " + target("crasher")).text;
    for (const std::string_view line : split(names, '\n')) {
        if (line.size() < 20 || (line.find(" T shop::") == std::string_view::npos &&
                                 line.find(" T main") == std::string_view::npos))
            continue;
        std::string_view name = line.substr(19);
        name = name.substr(0, name.find('('));
        const std::string address = hexTicked(base + *parseHex(line.substr(0, 16)));
        const Output found = core_->open("x crasher!" + std::string(name) + "*; ln " + address);
        EXPECT_THAT(found.text, HasSubstr(address + " crasher!" + std::string(name)));
        EXPECT_THAT(found.text, HasSubstr("Exact matches:\n    crasher!" + std::string(name)));
        ++compared;
    }
    EXPECT_GE(compared, 4U);
}

TEST_F(OpenCommands, TheCommandsEveryTutorialTeaches) {
    for (const std::string command : {"~*k",
                                      "~0s",
                                      "kb",
                                      ".cls",
                                      "!analyze -v -f",
                                      "!peb",
                                      "lm -v",
                                      "!sym noisy",
                                      "!sym quiet",
                                      ".reload /i /f crasher",
                                      ".reload /f libc",
                                      "lmvm libc",
                                      "~",
                                      "|",
                                      "r",
                                      "kn",
                                      "kp",
                                      "kv",
                                      ".ecxr",
                                      ".lastevent",
                                      "vertarget",
                                      "!teb",
                                      "!address",
                                      "!uniqstack",
                                      ".help"}) {
        const Output output = core_->open(command);
        EXPECT_EQ(output.status, 0) << command << ": " << output.text;
        EXPECT_EQ(output.text.empty(), command == ".cls") << command;
    }
}

TEST_F(OpenCommands, TheVerdictHasTheFieldsScriptsLookFor) {
    const std::string text = core_->open("!analyze -v").text;
    for (const std::string field :
         {"FAULTING_IP:", "EXCEPTION_RECORD:", "PROCESS_NAME:", "READ_ADDRESS:", "STACK_TEXT:",
          "STACK_COMMAND:", "SYMBOL_NAME:", "MODULE_NAME:  crasher",
          "IMAGE_NAME:", "FAILURE_BUCKET_ID:", "Followup:"})
        EXPECT_THAT(text, HasSubstr(field));
}

TEST_F(OpenCommands, NoisySymbolsTellWhatWasTried) {
    const Output output = core_->open("!sym noisy; .reload /f libc; !sym quiet");
    EXPECT_THAT(output.text, HasSubstr("SYMBOLS:  libc: "));
    EXPECT_THAT(output.text, HasSubstr("/libc.so.6"));
}

TEST_F(OpenCommands, StatusTellsWhetherAllWentWell) {
    EXPECT_EQ(core_->open(".echo good").status, 0);
    const Output bad = core_->open("!anlyze; .echo after");
    EXPECT_EQ(bad.status, 1);
    EXPECT_THAT(bad.text, HasSubstr("did you mean '!analyze'"));
    EXPECT_THAT(bad.text, HasSubstr("after"));
    EXPECT_EQ(shell(program() + " open /nonexistent -c r 2>&1").status, 1);
    EXPECT_EQ(core_->open("r", "--thread 99").status, 1);
    EXPECT_EQ(shell(program() + " open " + core_->path() + " --json 2>&1 </dev/null").status, 2);
}

TEST_F(OpenCommands, JsonKeepsEachCommandApart) {
    const Output output = core_->open("? 1+1; nothing; .echo x", "--json");
    EXPECT_EQ(output.status, 1);
    const auto json = nlohmann::json::parse(output.text, nullptr, false);
    ASSERT_TRUE(json.is_array());
    ASSERT_EQ(json.size(), 3U);
    EXPECT_EQ(json[0]["command"], "? 1+1");
    EXPECT_EQ(json[0]["output"], "Evaluate expression: 2 = 00000000`00000002\n");
    EXPECT_EQ(json[0]["ok"], true);
    EXPECT_EQ(json[1]["ok"], false);
    EXPECT_EQ(json[2]["output"], "x\n");
}

TEST_F(OpenCommands, ScriptsOnStandardInputRunWithoutNoise) {
    const Output output =
        shell("printf '? 1\\n.echo done\\nq\\n.echo never\\n' | HOME=" + core_->folder() +
              " XDG_STATE_HOME= " + program() + " open " + core_->path() + " 2>&1");
    EXPECT_EQ(output.text, "Evaluate expression: 1 = 00000000`00000001\ndone\n");
    EXPECT_EQ(output.status, 0);
    EXPECT_FALSE(std::filesystem::exists(core_->folder() + "/.local")) << "history is for people";
}

TEST_F(OpenCommands, LogsHoldWhatWasPrinted) {
    const std::string log = core_->folder() + "/log";
    EXPECT_EQ(core_->open(".logopen " + log + "; .echo kept; .logclose; .echo not").status, 0);
    const std::string text = shell("cat " + log).text;
    EXPECT_THAT(text, HasSubstr("kept"));
    EXPECT_THAT(text, Not(HasSubstr("not\n")));
    EXPECT_EQ(core_->open(".logopen " + core_->path()).status, 1) << "the dump is no log";
    EXPECT_EQ(core_->open("r").status, 0);
}

}  // namespace
}  // namespace icecore::tests
