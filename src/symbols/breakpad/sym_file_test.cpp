#include "symbols/breakpad/sym_file.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

constexpr std::string_view sample =
    "MODULE windows x86_64 5A9832E5287241C1838ED98914E9B7FF1 app file.pdb\n"
    "INFO CODE_ID 5F3C1A2B1000 app.dll\r\n"
    "FILE 0 c:\\src\\main.cpp\n"
    "FILE 3 /usr/include/deep er.h\n"
    "INLINE_ORIGIN 0 ns::outer(int)\n"
    "INLINE_ORIGIN 1 ns::inner\n"
    "FUNC m 1000 30 0 ns::List<int>::add(int) const\n"
    "INLINE 0 11 0 0 1010 10\n"
    "INLINE 1 52 3 1 1014 4 1020 2\n"
    "1000 10 10 0\n"
    "1010 4 50 3\n"
    "1014 4 60 3\n"
    "1018 8 53 3\n"
    "1020 10 12 0\n"
    "FUNC 1100 10 8 _ZN2ns5plainEi\n"
    "1100 10 77 0\n"
    "PUBLIC m 2000 0 exportedName\n"
    "PUBLIC 1108 0 inside\n"
    "STACK CFI INIT 1000 30 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n"
    "STACK CFI 1001 .cfa: $rsp 16 + $rbp: .cfa -16 + ^\n"
    "STACK CFI 1010 .cfa: $rbp 16 +\n"
    "STACK CFI INIT 1100 10 .cfa: $rsp 8 +\n"
    "STACK WIN 4 1000 30 5 2 8 4 c 0 1 $T0 .raSearch = $eip $T0 ^ =\n"
    "STACK WIN 0 1000 40 6 0 4 0 0 0 0 1\n";

std::shared_ptr<const SymFile> open(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return SymFile::open(memorySource({bytes.begin(), bytes.end()}, "a.sym")).value_or(nullptr);
}

std::string frames(const SymFile& file, std::uint64_t address, bool isReturn = false) {
    std::string text;
    for (const SymbolFrame& frame : file.locate(address, isReturn).frames) {
        text += (frame.inlined ? "[" : "(") + frame.function + "+" +
                std::to_string(frame.functionOffset) + " " + frame.file + ":" +
                std::to_string(frame.line) + (frame.inlined ? "]" : ")");
    }
    return text;
}

TEST(BreakpadSymbols, functionsLinesAndInlinedCalls) {
    const auto file = open(sample);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->os(), "windows");
    EXPECT_EQ(file->arch(), "x86_64");
    EXPECT_EQ(file->id(), "5A9832E5287241C1838ED98914E9B7FF1");
    EXPECT_EQ(file->debugFile(), "app file.pdb");
    EXPECT_EQ(frames(*file, 0x1005), "(ns::List<int>::add+5 c:\\src\\main.cpp:10)");
    EXPECT_EQ(
        frames(*file, 0x1010),
        "[ns::outer+0 /usr/include/deep er.h:50](ns::List<int>::add+16 c:\\src\\main.cpp:11)");
    EXPECT_EQ(frames(*file, 0x1016),
              "[ns::inner+2 /usr/include/deep er.h:60][ns::outer+6 /usr/include/deep er.h:52]"
              "(ns::List<int>::add+22 c:\\src\\main.cpp:11)");
    EXPECT_EQ(frames(*file, 0x1014, true),
              "[ns::outer+4 /usr/include/deep er.h:50](ns::List<int>::add+20 c:\\src\\main.cpp:11)")
        << "of a return address the call";
    EXPECT_EQ(frames(*file, 0x1104), "(ns::plain+4 c:\\src\\main.cpp:77)");
    EXPECT_EQ(frames(*file, 0x2010), "(exportedName+16 :0)");
    EXPECT_EQ(frames(*file, 0xfff), "");
    EXPECT_EQ(frames(*file, 0x1040), "") << "between functions";
    EXPECT_EQ(file->damagedLines(), 0U);
}

TEST(BreakpadSymbols, names) {
    const auto file = open(sample);
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->byName("ns::List<int>::add")->address, 0x1000U);
    EXPECT_EQ(file->byName("_ZN2ns5plainEi")->address, 0x1100U);
    EXPECT_FALSE(file->byName("nothing").has_value());
    std::vector<ModuleReader::Named> found;
    file->find("ns::*", 10, found);
    EXPECT_EQ(found.size(), 2U);
    EXPECT_EQ(file->nearest(0x1008)->name, "ns::List<int>::add");
}

TEST(BreakpadSymbols, callFrameRulesAddUp) {
    const auto file = open(sample);
    ASSERT_NE(file, nullptr);
    using Rules = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(file->cfiAt(0x1000)->rules, (Rules{{".cfa", "$rsp 8 +"}, {".ra", ".cfa -8 + ^"}}));
    EXPECT_EQ(file->cfiAt(0x100f)->rules,
              (Rules{{".cfa", "$rsp 16 +"}, {".ra", ".cfa -8 + ^"}, {"$rbp", ".cfa -16 + ^"}}));
    EXPECT_EQ(file->cfiAt(0x102f)->rules,
              (Rules{{".cfa", "$rbp 16 +"}, {".ra", ".cfa -8 + ^"}, {"$rbp", ".cfa -16 + ^"}}));
    EXPECT_FALSE(file->cfiAt(0x1030).has_value());
    const auto newer = file->stackWinAt(0x1008);
    ASSERT_TRUE(newer.has_value());
    EXPECT_EQ(newer->program, "$T0 .raSearch = $eip $T0 ^ =");
    EXPECT_EQ(newer->prologue, 5U);
    EXPECT_EQ(newer->epilogue, 2U);
    EXPECT_EQ(newer->parameters, 8U);
    EXPECT_EQ(newer->savedRegisters, 4U);
    EXPECT_EQ(newer->locals, 12U);
    const auto older = file->stackWinAt(0x1038);
    ASSERT_TRUE(older.has_value());
    EXPECT_EQ(older->program, "");
    EXPECT_TRUE(older->usesBasePointer);
    EXPECT_FALSE(file->stackWinAt(0x1040).has_value());
}

TEST(BreakpadSymbols, damageCostsAnswersOnly) {
    EXPECT_EQ(open("no such file"), nullptr);
    for (std::size_t size = 7; size < sample.size(); ++size) {
        const auto file = open(sample.substr(0, size));
        ASSERT_NE(file, nullptr);
        (void)frames(*file, 0x1016);
        (void)file->cfiAt(0x102f);
        (void)file->stackWinAt(0x1008);
    }
    for (std::size_t at = 0; at < sample.size(); ++at) {
        for (const char letter : {' ', '\n', 'f', '\xff', '\0'}) {
            std::string changed(sample);
            changed[at] = letter;
            if (const auto file = open(changed)) {
                (void)frames(*file, 0x1016);
                (void)file->cfiAt(0x102f);
                (void)file->stackWinAt(0x1008);
            }
        }
    }
    const auto huge = open("MODULE a b c d\nFILE 4294967295 x\nFUNC zz 1 1 x\n");
    ASSERT_NE(huge, nullptr);
    EXPECT_EQ(huge->damagedLines(), 2U);
}

}  // namespace
}  // namespace icecore
