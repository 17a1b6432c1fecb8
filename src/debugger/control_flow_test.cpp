// .if, .foreach, .for, .while, scripts, .printf, .load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "debugger/interpreter_fixture.h"
#include "support/scratch.h"

namespace icecore::debugger {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ControlFlow : public InterpreterTest {
protected:
    /// A file of commands.
    std::string script(std::string_view text) {
        const std::string path = scratch_.file("script.txt");
        std::ofstream(path) << text;
        return path;
    }

    const tests::Scratch scratch_;
};

TEST_F(ControlFlow, If) {
    EXPECT_EQ(run(".if (1 == 1) { .echo yes }"), "yes\n");
    EXPECT_EQ(run(".if (0) { .echo yes } .else { .echo no; .echo really }"), "no\nreally\n");
    EXPECT_EQ(run(".if (@eax = 55667788) { .echo a } .elsif (1) { .echo b } .else { .echo c }"),
              "a\n");
    EXPECT_EQ(run(".if (0) { .echo a } .elsif (1) { .echo b } .else { .echo c }; .echo after"),
              "b\nafter\n");
    EXPECT_EQ(run(".if (1) { .if (0) { .echo a } .else { .echo b } }"), "b\n");
    EXPECT_EQ(run(".echo x;.if(1){.echo y};.echo z"), "x\ny\nz\n");
    EXPECT_EQ(run(".if 1 { .echo y }"), "y\n");
    EXPECT_EQ(run(".if (1) & (2 > 1) { .echo y }"), "y\n");
    EXPECT_EQ(run("j (1) .echo a; .echo b"), "a\n");
    EXPECT_EQ(run("j (@eax = 1) '.echo a; .echo c'; '.echo b; .echo d'"), "b\nd\n");
    EXPECT_TRUE(good_);
}

TEST_F(ControlFlow, Loops) {
    EXPECT_EQ(run(".for (r $t0 = 0; @$t0 < 3; r $t0 = @$t0 + 1) { .printf \"%d \", @$t0 }"),
              "0 1 2 ");
    EXPECT_EQ(run("r $t1 = 3; .while (@$t1) { .printf \"%x\", @$t1; r $t1 = @$t1 - 1 }"), "321");
    EXPECT_EQ(run(".for (r $t0 = 0; @$t0 < 9; r $t0 = @$t0 + 1) { .if (@$t0 == 2) { .continue }; "
                  ".if (@$t0 == 4) { .break }; .printf \"%d\", @$t0 }; .echo end"),
              "013end\n");
    EXPECT_EQ(
        run("r $t0 = 0; .do { r $t0 = @$t0 + 1; .printf \"%x\", @$t0 } (@$t0 < 3); .echo end"),
        "123end\n");
    EXPECT_EQ(run(".do { .echo once; .break } (1)"), "once\n");
    EXPECT_EQ(run(".block { .echo a; .echo b }"), "a\nb\n");
}

TEST_F(ControlFlow, WhatIsCaughtEndsTheBlockAlone) {
    EXPECT_THAT(run(".catch { .echo a; nosuch; .echo b }; .echo c"),
                ::testing::AllOf(StartsWith("a\nUnknown"), ::testing::EndsWith(")\nc\n"),
                                 ::testing::Not(HasSubstr("b\n"))));
    EXPECT_TRUE(good_);
    EXPECT_EQ(run(".catch { .echo a; .if (1) { .leave }; .echo b }; .echo c"), "a\nc\n");
    EXPECT_THAT(run(".catch { .while (1) { nosuch } }; .echo c"), ::testing::EndsWith(")\nc\n"));
    run(".leave");
    EXPECT_FALSE(good_);
}

TEST_F(ControlFlow, ForEach) {
    EXPECT_EQ(run(".foreach (word { .echo one two; .echo three }) { .echo <${word}> }"),
              "<one>\n<two>\n<three>\n");
    EXPECT_EQ(run(".foreach /s (w \"a b c d e\") { .printf \"%d.\", ${w} }"), "10.11.12.13.14.");
    EXPECT_EQ(run(".foreach /pS 1 /ps 1 /s (w \"a b c d e\") { .echo w }"), "b\nd\n");
    EXPECT_EQ(run(".foreach /f (w \"" + script("x y\nz\n") + "\") { .echo w }"), "x\ny\nz\n");
    // What is caught is not printed, and errors inside are told.
    EXPECT_THAT(run(".foreach (w { nosuch }) { .echo w }"), StartsWith("Unknown\n"));
    EXPECT_FALSE(good_);
}

TEST_F(ControlFlow, WhatIsWrongIsSaid) {
    for (const char* wrong :
         {".if", ".if (1)", ".if { k }", ".if (1) { k", ".do { }", ".catch k", "j", ".if (1) { } k",
          ".foreach (w) { }", ".foreach /x (w \"a\") { }", ".for (1; 2) { }", ".while { }",
          ".block k", ".if (nosuch) { }", "$<", "$</nosuch/script", "$$>a<"}) {
        EXPECT_NE(run(wrong), "") << wrong;
        EXPECT_FALSE(good_) << wrong;
    }
}

TEST_F(ControlFlow, EndlessOnesEnd) {
    session_->commandLimit = 1000;
    EXPECT_THAT(run(".while (1) { }"), HasSubstr("without end"));
    EXPECT_FALSE(good_);
    EXPECT_THAT(run(".while (1) { r $t0 = 1 }"), HasSubstr("stopped"));
    std::string deep;
    for (int i = 0; i < 40; ++i)
        deep += ".if (1) { ";
    deep += ".echo deep";
    for (int i = 0; i < 40; ++i)
        deep += " }";
    EXPECT_THAT(run(deep), HasSubstr("nested too deeply"));
    EXPECT_EQ(run(".echo still here"), "still here\n");
}

TEST_F(ControlFlow, Scripts) {
    EXPECT_EQ(run("$<" + script(".echo a\n* a comment\n$$ another\n.echo b; .echo c\n")),
              "a\nb\nc\n");
    EXPECT_EQ(run("$$<" + script(".echo a\n") + "; .echo b"), "a\nb\n");
    // Blocks over several lines.
    const std::string blocks = script(
        ".if (0)\n{\n  .echo yes\n}\n.else\n{\n  $$ nothing\n  .echo no\n  .echo really\n}\n.echo "
        "end\n");
    EXPECT_EQ(run("$><" + blocks), "no\nreally\nend\n");
    EXPECT_EQ(run("$$><" + blocks + "; .echo after"), "no\nreally\nend\nafter\n");
    EXPECT_EQ(run("$$>a<" + script(".echo ${$arg2}\n.echo ${$arg1}\n") + " one \"two words\""),
              "two words\none\n");
    // A script that runs itself ends.
    const std::string self = scratch_.file("self.txt");
    std::ofstream(self) << "$$<" << self << "\n";
    EXPECT_THAT(run("$<" + self), HasSubstr("nested too deeply"));
}

TEST_F(ControlFlow, PrintsFormatted) {
    EXPECT_EQ(run(".printf \"%d %u %x %X %o %c %%\\n\", -1, 0n10, ff, ff, 8, 41"),
              "-1 10 ff FF 10 A %\n");
    EXPECT_EQ(run(".printf \"[%08x] [%5d] [%-5d]\", 1234, 5, 5"), "[00001234] [    5] [5    ]");
    EXPECT_EQ(run(".printf \"%I64x %p\", 1122334455667788, 10"),
              "1122334455667788 0000000000000010");
    EXPECT_EQ(run(".printf \"%ma|%mu\\n\", 10050, 10060"), "Hello, ice core|Wide\n");
    EXPECT_EQ(run(".printf \"%y %N\", 500010, 1234"),
              "libstdc+++0x10 (00000000`00500010) 0000000000001234");
    for (const char* wrong : {".printf x", ".printf \"%d\"", ".printf \"%q\", 1", ".printf \"%\"",
                              ".printf \"a\", 1"}) {
        run(wrong);
        EXPECT_FALSE(good_) << wrong;
    }
}

TEST_F(ControlFlow, ExtensionsOfWindowsAreRefusedPlainly) {
    for (const char* name : {".load C:\\tools\\sosex.dll", ".load sos", ".load nosuch.dll"}) {
        EXPECT_THAT(run(name), HasSubstr("runs on Windows inside WinDbg alone")) << name;
        EXPECT_FALSE(good_);
    }
    EXPECT_THAT(run(".load nosuch"), HasSubstr("no such extension"));
    const std::string dll = scratch_.file("some.bin");
    std::ofstream(dll) << "MZ and more";
    EXPECT_THAT(run(".load " + dll), HasSubstr("runs on Windows inside WinDbg alone"));
    const std::string text = scratch_.file("text.so");
    std::ofstream(text) << "no library";
    run(".load " + text);
    EXPECT_FALSE(good_);
    EXPECT_EQ(run(".chain"), "No extension is loaded; .load FILE loads one.\n");
}

}  // namespace
}  // namespace icecore::debugger
