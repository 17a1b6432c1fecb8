#include "debugger/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "debugger/command.h"
#include "debugger/completion.h"
#include "debugger/interpreter_fixture.h"

namespace icecore::debugger {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Ran {
    std::string text;
    bool good;
};

class Interpreting : public InterpreterTest {
protected:
    Ran run(std::string_view line) {
        std::string text = InterpreterTest::run(line);
        return {std::move(text), good_};
    }
};

std::vector<std::string> wordsOf(std::string_view line) {
    std::vector<std::string> words;
    while (!line.empty()) {
        const auto cut = cutCommand(line);
        if (!cut) {
            words.emplace_back("error");
            break;
        }
        if (cut->word.empty()) continue;
        words.push_back(std::string(cut->word) + "|" + std::string(cut->arguments));
    }
    return words;
}

TEST(CutCommand, SplitsAtSemicolonsOutsideQuotes) {
    EXPECT_THAT(wordsOf("r rax; k 5;;lm"), ElementsAre("r|rax", "k|5", "lm|"));
    EXPECT_THAT(wordsOf(".echo \"a;b\"; q"), ElementsAre(".echo|\"a;b\"", "q|"));
}

TEST(CutCommand, NamesEndWhereLettersEnd) {
    EXPECT_THAT(wordsOf("db@rsp L10"), ElementsAre("db|@rsp L10"));
    EXPECT_THAT(wordsOf("kb5"), ElementsAre("kb|5"));
    EXPECT_THAT(wordsOf("?1+2"), ElementsAre("?|1+2"));
    EXPECT_THAT(wordsOf("!sym noisy"), ElementsAre("!sym|noisy"));
    EXPECT_THAT(wordsOf(".frame 3"), ElementsAre(".frame|3"));
}

TEST(CutCommand, CommentsAreNothing) {
    EXPECT_THAT(wordsOf("* all of this; is one"), ElementsAre());
    EXPECT_THAT(wordsOf("r $$ only this ; k"), ElementsAre("r|$$ only this", "k|"));
    EXPECT_THAT(wordsOf("$$ only this ; k"), ElementsAre("k|"));
}

TEST(CutCommand, PathsTakeTheWholeLine) {
    EXPECT_THAT(wordsOf(".sympath /a;/b"), ElementsAre(".sympath|/a;/b"));
    EXPECT_THAT(wordsOf(".sympath; k"), ElementsAre(".sympath|", "k|"));
}

TEST(CutCommand, ThreadPrefixes) {
    const auto first = [](std::string_view line) { return cutCommand(line).value(); };
    EXPECT_EQ(first("~").word, "~");
    EXPECT_EQ(first("~*k").thread.kind, ThreadPrefix::Kind::all);
    EXPECT_EQ(first("~*k").word, "k");
    EXPECT_EQ(first("~*kb 3").arguments, "3");
    EXPECT_EQ(first("~.r").thread.kind, ThreadPrefix::Kind::current);
    EXPECT_EQ(first("~#k").thread.kind, ThreadPrefix::Kind::event);
    EXPECT_EQ(first("~12s").thread.number, 12U);
    EXPECT_EQ(first("~12s").word, "s");
    EXPECT_EQ(first("~*e!mk").word, "e");
    EXPECT_EQ(first("~*e!mk").arguments, "!mk");
    EXPECT_EQ(first("~~[1a2b]k").thread.id, "1a2b");
    std::string_view open = "~~[12";
    EXPECT_FALSE(cutCommand(open).has_value());
}

TEST(FindCommand, FlagsFollowNames) {
    EXPECT_EQ(findCommand("kbn").command->name, "k");
    EXPECT_EQ(findCommand("kbn").flags, "bn");
    EXPECT_EQ(findCommand("lmvm").command->name, "lm");
    EXPECT_EQ(findCommand("dD").command->name, "dD");
    EXPECT_EQ(findCommand("dd").command->name, "dd");
    EXPECT_EQ(findCommand("DB").command->name, "db");
    EXPECT_EQ(findCommand("kz").command, nullptr);
}

TEST(FindCommand, EveryRowIsFoundByItsName) {
    for (const Command& command : allCommands())
        EXPECT_EQ(findCommand(command.name).command, &command) << command.name;
}

TEST_F(Interpreting, UnknownCommandsSuggestTheNearest) {
    const Ran ran = run("!adress");
    EXPECT_FALSE(ran.good);
    EXPECT_THAT(ran.text, HasSubstr("!address"));
    EXPECT_THAT(run("zzzzzz").text, HasSubstr(".help"));
}

TEST_F(Interpreting, AFailureDoesNotStopWhatFollows) {
    const Ran ran = run("r nothing; .echo still here");
    EXPECT_FALSE(ran.good);
    EXPECT_THAT(ran.text, HasSubstr("still here"));
}

TEST_F(Interpreting, StartsAtTheThreadOfTheExceptionAndMoves) {
    EXPECT_EQ(interpreter_.prompt(), "0:001> ");
    EXPECT_TRUE(run("~0s").good);
    EXPECT_EQ(interpreter_.prompt(), "0:000> ");
    EXPECT_THAT(run("~").text, HasSubstr(".  0  Id: 1234.1234 "));
    EXPECT_THAT(run("~").text, HasSubstr("#  1  Id: 1234.1235 "));
    EXPECT_FALSE(run("~7s").good);
    EXPECT_TRUE(run("~~[1235]s").good);
    EXPECT_EQ(interpreter_.prompt(), "0:001> ");
}

TEST_F(Interpreting, VisitsLeaveTheCurrentThreadAlone) {
    EXPECT_THAT(run("~0s; ~* r $tid; r $tid").text,
                ::testing::AllOf(HasSubstr("$tid=0000000000001235"),
                                 ::testing::EndsWith("$tid=0000000000001234\n")));
    EXPECT_TRUE(run("~1r rip").good);
    EXPECT_EQ(interpreter_.prompt(), "0:000> ");
}

TEST_F(Interpreting, EReachesToTheEndOfTheLineOrOverQuotes) {
    EXPECT_EQ(run("~*e .echo x; .echo y").text, "x\ny\nx\ny\n");
    EXPECT_EQ(run("~*e \".echo x; .echo y\"").text, "x\ny\nx\ny\n");
    EXPECT_EQ(run("~0e .echo x; .echo y").text, "x\ny\n");
}

TEST_F(Interpreting, NestingIsBounded) {
    // The inner quotes end the outer ones; what is left must not run away.
    EXPECT_FALSE(run("~*e ~*e ~*e ~*e ~*e ~*e ~*e .echo x").good);
}

// What is expected of aliases is what Microsoft's dbgeng does with the same lines.
TEST_F(Interpreting, AliasesStandForText) {
    run("as Where .echo here");
    EXPECT_EQ(run("Where").text, "here\n");
    EXPECT_EQ(run(".echo ${Where}!").text, ".echo here!\n");
    EXPECT_EQ(run("al").text,
              "  Alias            Value  \n -------          ------- \n"
              " Where            .echo here \n");
    EXPECT_TRUE(run("ad Where").good);
    EXPECT_FALSE(run("Where").good);
    EXPECT_FALSE(run("ad Where").good);
    EXPECT_TRUE(run("ad /q Where").good);
    EXPECT_EQ(run("al").text, "No aliases\n");
}

TEST_F(Interpreting, AliasesTakeTheLineOrUpToASemicolon) {
    EXPECT_EQ(run("as All .echo one; .echo two").text, "");
    EXPECT_EQ(run("All").text, "one\ntwo\n");
    EXPECT_EQ(run("aS Short .echo one; .echo two").text, "two\n");
    EXPECT_EQ(run("Short").text, "one\n");
    EXPECT_EQ(run("aS Quoted \".echo one; .echo two\"; .echo three").text, "three\n");
    EXPECT_EQ(run("Quoted").text, "one\ntwo\n");
    run("as Kept \"a b\"");
    EXPECT_EQ(run(".printf \"%d\", ${/d:Kept}; .printf \"%d\", ${/d:None}").text, "10");
    EXPECT_EQ(run(".echo x${/f:None}y ${/n:Kept} ${/n:None} ${/v:Kept} ${/f:Short}").text,
              "xy Kept ${/n:None} ${/v:Kept} .echo one\n");
    // What is set on a line is known in blocks behind it, and there only.
    EXPECT_EQ(run("aS Late 10; .block { ? Late }").text,
              "Evaluate expression: 16 = 00000000`00000010\n");
    EXPECT_EQ(run("aS Later 10; .echo Later").text, "Later\n");
}

TEST_F(Interpreting, AliasesOfValuesTextAndOutput) {
    EXPECT_EQ(run("as /x Value 5 + 1; .block { .echo ${Value} }").text, "0x6\n");
    run("as /ma Narrow 10050");
    run("as /mu Wide 10060");
    EXPECT_EQ(run(".echo Narrow, ${Wide}").text, "Hello, ice core, Wide\n");
    run("as /c Out .echo some; .echo text");
    EXPECT_EQ(session_->aliases["Out"], "some\ntext\n");
    run("as /e Path PATH");
    EXPECT_EQ(session_->aliases["Path"], std::getenv("PATH"));  // NOLINT(concurrency-mt-unsafe)
    for (const char* wrong :
         {"as", "as x", "as /x", "as /x v", "as /x v nosuch", "as /ma v 10040", "as /q v 1",
          "aS /f v /nosuch/file", "as /e v ICECORE_NO_SUCH", "as /msa v 10040"})
        EXPECT_FALSE(run(wrong).good) << wrong;
    EXPECT_FALSE(session_->aliases.contains("v"));
}

/// dbgeng's: nobody lists them, own ones go before them.
TEST_F(Interpreting, AliasesThatAreThereByThemselves) {
    EXPECT_EQ(run(".echo ${$CurrentDumpArchiveFile}-$CurrentDumpArchivePath-").text,
              "-$CurrentDumpArchivePath-\n");
    EXPECT_EQ(run("al").text, "No aliases\n");
    EXPECT_EQ(run(".printf \"%d\", ${/d:$CurrentDumpFile}").text, "1");
    EXPECT_EQ(run(".echo $ntsym").text, "$ntsym\n") << "of dumps of Windows alone";
    run("as $CurrentDumpFile mine");
    EXPECT_EQ(run(".echo $CurrentDumpFile").text, "mine\n");
}

TEST_F(Interpreting, FixedAliasesStandAnywhere) {
    EXPECT_TRUE(run("r $.u0 = 10 + 6").good);
    EXPECT_EQ(run("? $u0").text, "Evaluate expression: 22 = 00000000`00000016\n");
    run("r $.u1=\"two words\"");
    EXPECT_EQ(run(".echo x$u1y $u2").text, "xtwo wordsy $u2\n");
    run("r $.u1=");
    EXPECT_EQ(run(".echo $u1").text, "$u1\n");
    EXPECT_EQ(run("al").text, "No aliases\n");
}

/// What dbgeng prints of the same lines.
TEST_F(Interpreting, ZRunsTheLineAgain) {
    run("r $t0 = 3");
    EXPECT_EQ(run("r $t0 = @$t0 - 1; z (@$t0); .echo end").text,
              "redo [1] r $t0 = @$t0 - 1; z (@$t0); .echo end\n"
              "redo [2] r $t0 = @$t0 - 1; z (@$t0); .echo end\nend\n");
    EXPECT_EQ(run(".echo a; z (0); .echo b").text, "a\nb\n");
    run("r $t0 = 2");
    EXPECT_EQ(run(".block { r $t0 = @$t0 - 1; z @$t0 }; .echo end").text,
              "redo [1] r $t0 = @$t0 - 1; z @$t0\nend\n");
    EXPECT_FALSE(run("z").good);
    EXPECT_FALSE(run("z nosuch").good);
    session_->commandLimit = 100;
    const Ran endless = run("r $t1 = 1; z (1)");
    EXPECT_FALSE(endless.good);
    EXPECT_THAT(endless.text, HasSubstr("100 commands have run"));
}

TEST_F(Interpreting, QuitEndsTheLine) {
    EXPECT_EQ(run("q; .echo no").text, "");
    EXPECT_TRUE(session_->quit);
}

TEST_F(Interpreting, AnInterruptStopsTheLine) {
    class Stopping final : public Output {
    public:
        explicit Stopping(Session& session) : session_(session) {}
        void write(std::string_view text) override {
            text_ += text;
            session_.interrupt();
        }
        std::string text_;

    private:
        Session& session_;
    } stopping(*session_);
    Interpreter interpreter(*session_, stopping);
    EXPECT_FALSE(interpreter.execute("db 10000 L?7fffffffffff; .echo no"));
    EXPECT_THAT(stopping.text_, HasSubstr("interrupted"));
    EXPECT_THAT(stopping.text_, Not(HasSubstr("no\n")));
}

TEST_F(Interpreting, PseudoRegistersHoldWhatIsPutIn) {
    EXPECT_TRUE(run("r $t1 = 2 * 8").good);
    EXPECT_EQ(run("? @$t1 + 1").text, "Evaluate expression: 17 = 00000000`00000011\n");
    EXPECT_THAT(run("r rax = 5").text, HasSubstr("only $t0"));
}

TEST_F(Interpreting, RegistersHaveParts) {
    EXPECT_EQ(run("r eax").text, "eax=55667788\n");
    EXPECT_EQ(run("? al").text, "Evaluate expression: 136 = 00000000`00000088\n");
    EXPECT_THAT(run("r").text, HasSubstr("iopl=0         nv up ei pl zr na pe nc"));
    EXPECT_THAT(run("r").text, HasSubstr("rbx=????????????????"));
    EXPECT_THAT(run("r").text, HasSubstr("ds:00000000`00000000=????????"));
}

TEST(ShadowStackPointer, IsARegisterOfTheThreadThatHasOne) {
    Snapshot snapshot = syntheticSnapshot();
    snapshot.attachments = {
        {"thread/1235/shadow stack pointer", SharedBytes::own(std::string("0xcbc83fefc8"))}};
    SymbolOptions options;
    options.useDefaultPaths = false;
    const auto session = Session::create(std::move(snapshot), options);
    ASSERT_TRUE(session);
    TextOutput output;
    Interpreter interpreter(**session, output);
    EXPECT_TRUE(interpreter.execute("r ssp; ? @ssp + 1"));
    EXPECT_EQ(output.take(),
              "ssp=000000cbc83fefc8\nEvaluate expression: 875237994441 = 000000cb`c83fefc9\n");
    EXPECT_FALSE(interpreter.execute("~0s; r ssp"));
}

TEST_F(Interpreting, EveryCommandOfTheTableSurvivesNoArgumentsAndNonsense) {
    for (const Command& command : allCommands()) {
        if (command.name == "q" || command.name == "qq" || command.name == "qd") continue;
        if (command.name.starts_with(".log")) continue;
        run(command.name);
        run(std::string(command.name) + " )(*&^% \"unclosed");
        run(std::string(command.name) + " ffffffffffffffff Lff");
        EXPECT_FALSE(session_->quit) << command.name;
    }
}

TEST_F(Interpreting, HelpNamesEveryCommand) {
    const std::string help = run(".help").text;
    for (const Command& command : allCommands()) {
        if (command.summary.empty()) continue;
        EXPECT_THAT(help, HasSubstr(std::string(command.name)));
    }
    EXPECT_THAT(run(".help !address").text, StartsWith("!address"));
}

TEST_F(Interpreting, CompletesCommandsModulesAndRegisters) {
    EXPECT_THAT(complete(*session_, "!addr").candidates, ElementsAre("!address"));
    EXPECT_THAT(complete(*session_, "k; .las").candidates, ElementsAre(".lastevent"));
    EXPECT_THAT(complete(*session_, "lmvm lib").candidates, ElementsAre("libstdc++"));
    EXPECT_THAT(complete(*session_, "u @r1").candidates, Contains("@r10"));
    EXPECT_EQ(complete(*session_, "u @r1").wordLength, 3U);
}

}  // namespace
}  // namespace icecore::debugger
