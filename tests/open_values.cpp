// `icecore open` on a real core: the columns of stacks, the registers of the event, the search for
// symbols, held against gdb, readelf and each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "open_core.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenValues : public ::testing::Test {
protected:
    static void SetUpTestSuite() { core_ = std::make_unique<CrasherCore>(); }
    static void TearDownTestSuite() { core_.reset(); }
    void SetUp() override { ASSERT_TRUE(core_->made()) << "gdb made no core"; }

    /// What each of several commands, divided by lines, says.
    static std::vector<std::string> answers(const std::vector<std::string>& commands) {
        std::string line;
        for (const std::string& command : commands)
            line += (line.empty() ? "" : "; .echo NEXT; ") + command;
        return parts(core_->open(line).text);
    }
    static std::unique_ptr<CrasherCore> core_;
};
std::unique_ptr<CrasherCore> OpenValues::core_;

TEST_F(OpenValues, StacksOfEveryKindShowTheSameFrames) {
    const auto said = answers({"k", "kn", "kp", "kb", "kv", "k 2", "kL"});
    ASSERT_EQ(said.size(), 7U);
    // Of `k`: where each frame stands, where it returns to, what it is called.
    struct Row {
        std::string sp, returns, site;
    };
    std::vector<Row> rows;
    for (const std::string_view line : split(said[0], '\n')) {
        const auto words = splitBlanks(line);
        if (words.size() < 3 || words[0].size() != 17) continue;
        rows.push_back({std::string(words[0]), std::string(words[1]), std::string(words[2])});
    }
    ASSERT_GE(rows.size(), 6U) << said[0];
    const auto withWords = [](const std::string& text, std::vector<std::string> wanted) {
        return std::ranges::any_of(split(text, '\n'), [&](const std::string_view line) {
            const auto words = splitBlanks(line);
            return std::ranges::all_of(wanted, [&](const std::string& word) {
                return std::ranges::find(words, word) != words.end();
            });
        });
    };
    for (const Row& row : rows) {
        EXPECT_TRUE(withWords(said[2], {row.sp, row.returns})) << said[2] << row.sp;
        for (const std::size_t kind : {1U, 4U, 6U})
            EXPECT_TRUE(withWords(said[kind], {row.sp, row.returns, row.site}))
                << said[kind] << row.sp;
        EXPECT_TRUE(withWords(said[3], {row.returns, row.site})) << said[3] << row.returns;
    }
    EXPECT_THAT(said[2], HasSubstr(" = ")) << "parameters have values";
    EXPECT_THAT(said[1], HasSubstr("\n00 "));
    EXPECT_THAT(said[1], HasSubstr("\n0a "));
    EXPECT_THAT(said[5], HasSubstr(rows[1].sp));
    EXPECT_THAT(said[5], Not(HasSubstr(rows[2].sp)));
    EXPECT_THAT(said[0], HasSubstr("crasher.cpp @ "));
    EXPECT_THAT(said[6], Not(HasSubstr("crasher.cpp"))) << "kL leaves lines out";

    // kb and kv: the four words above the return address, which is where the caller's frame is.
    const auto values = answers({"dq " + rows[1].sp + " L4"});
    std::vector<std::string> words;
    for (const auto& fields : fieldsOf(values[0])) {
        for (std::size_t i = 1; i < fields.size(); ++i)
            words.push_back(fields[i]);
    }
    ASSERT_EQ(words.size(), 4U) << values[0];
    for (const std::size_t kind : {3U, 4U}) {
        EXPECT_THAT(said[kind], HasSubstr("Args to Child"));
        EXPECT_TRUE(
            withWords(said[kind], {rows[0].returns, words[0], words[1], words[2], words[3]}))
            << said[kind] << values[0];
    }
}

TEST_F(OpenValues, TheEventIsWhereTheCrashIs) {
    // Away to another thread, and back to the registers of the crash.
    const auto said = answers({"r", "~1s; r", ".ecxr", "k", ".lastevent", "|", "~"});
    ASSERT_EQ(said.size(), 7U);
    const std::string gdb = core_->askGdb({"info registers rip rsp rdi", "info inferiors"});
    std::vector<std::string> values;
    for (const auto& fields : fieldsOf(gdb)) {
        if (fields.size() > 1 && fields[0].starts_with("r") && fields[1].starts_with("0x"))
            values.push_back(fields[0] + "=" + hexDigits(*parseHex(fields[1]), 16));
    }
    ASSERT_EQ(values.size(), 3U) << gdb;
    for (const std::string& value : values) {
        EXPECT_THAT(said[0], HasSubstr(value));
        EXPECT_THAT(said[2], HasSubstr(value));
    }
    EXPECT_THAT(said[1], Not(HasSubstr(values[0])));
    EXPECT_THAT(said[2], HasSubstr("crasher!shop::sum_of_ids+"));
    EXPECT_THAT(split(said[3], '\n')[1], HasSubstr("crasher!shop::sum_of_ids+"));
    EXPECT_THAT(said[4], HasSubstr("Signal SIGSEGV"));
    EXPECT_THAT(said[4], HasSubstr("code 11, SEGV_MAPERR"));
    EXPECT_THAT(said[5], HasSubstr("name: " + target("crasher")));
    // Five threads; the one that crashed carries the mark.
    std::size_t threads = 0;
    for (const std::string_view line : split(said[6], '\n')) {
        if (line.find("  Id: ") != std::string_view::npos) ++threads;
    }
    EXPECT_EQ(threads, 5U) << said[6];
}

TEST_F(OpenValues, AModuleIsDescribedAsReadelfDoes) {
    const std::string said = core_->open("lmvm libc").text;
    const std::size_t at = said.find("Image path: ");
    ASSERT_NE(at, std::string::npos) << said;
    const std::string path = said.substr(at + 12, said.find('\n', at) - at - 12);
    const std::string notes = shell("readelf -n " + path + " 2>/dev/null").text;
    const std::size_t id = notes.find("Build ID: ");
    ASSERT_NE(id, std::string::npos) << path << notes;
    const std::string buildId = notes.substr(id + 10, notes.find('\n', id) - id - 10);
    bool told = false;
    for (const auto& fields : fieldsOf(said))
        told |= fields.size() == 3 && fields[0] == "Build" && fields[2] == buildId;
    EXPECT_TRUE(told) << said << buildId;
    EXPECT_EQ(core_->open("lm v m libc").text, said);
}

/// A program without its debug information: names only; with `.sympath` to where that lies, lines
/// too; and where somebody else's lies under its name, that is said and not used.
TEST_F(OpenValues, TheSymbolPathLeadsToLines) {
    const Scratch scratch;
    const std::string stripped = scratch.file("crasher"), core = scratch.file("core");
    const std::string store = scratch.file("store");
    const std::string id =
        shell("readelf -n " + target("crasher") + " | sed -n 's/.*Build ID: //p'")
            .text.substr(0, 40);
    const std::string folder = store + "/.build-id/" + id.substr(0, 2);
    const std::string debug = folder + "/" + id.substr(2) + ".debug";
    ASSERT_EQ(shell("mkdir -p " + folder + " && objcopy --only-keep-debug " + target("crasher") +
                    " " + debug + " && strip -o " + stripped + " " + target("crasher") +
                    " && gdb -nx -q -batch -ex 'set startup-with-shell off' -ex run -ex "
                    "'generate-core-file " +
                    core + "' " + stripped + " >/dev/null 2>&1 </dev/null")
                  .status,
              0);
    const auto open = [&](const std::string& commands) {
        return shell(program() + " open " + core + " " + commands + " 2>&1").text;
    };
    const auto said = parts(open("-c 'k 3; .echo NEXT' -c '.sympath " + store +
                                 "' -c '.reload; .echo NEXT; k 3; .echo NEXT' -c '.sympath+ /else' "
                                 "-c '.echo NEXT; .reload /f crasher; lm m crasher'"));
    ASSERT_EQ(said.size(), 5U);
    EXPECT_THAT(said[0], HasSubstr("crasher+0x"));
    EXPECT_THAT(said[0], Not(HasSubstr("crasher.cpp")));
    EXPECT_THAT(said[1], HasSubstr("Symbol search path is: " + store + "\n"));
    EXPECT_THAT(said[2], HasSubstr("crasher!shop::close_books+"));
    EXPECT_THAT(said[2], HasSubstr("crasher.cpp @ "));
    EXPECT_THAT(said[3], HasSubstr("Symbol search path is: " + store + ";/else\n"));
    EXPECT_THAT(said[4], HasSubstr("dwarf symbols"));
    EXPECT_THAT(said[4], HasSubstr(debug));

    ASSERT_EQ(shell("objcopy --only-keep-debug " + target("unwind_threads") + " " + debug).status,
              0);
    const std::string wrong = open("-c '!sym noisy' -c '.sympath " + store + "' -c 'k 3'");
    EXPECT_THAT(wrong, HasSubstr(debug));
    EXPECT_THAT(wrong, HasSubstr("the dump says " + id));
    EXPECT_THAT(wrong, Not(HasSubstr("crasher.cpp @ ")));
}

}  // namespace
}  // namespace icecore::tests
