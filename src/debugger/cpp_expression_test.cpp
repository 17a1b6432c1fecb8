// Expressions of C++ over a process without symbols: numbers, registers, memory. Variables and
// types are in tests/windows_types.cpp. What is expected is what Microsoft's dbgeng prints.
#include "debugger/cpp_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "debugger/interpreter_fixture.h"

namespace icecore::debugger {
namespace {

using ::testing::HasSubstr;

class CppExpression : public InterpreterTest {
protected:
    std::string shown(std::string_view expression) {
        std::string text = run("?? " + std::string(expression));
        if (text.ends_with('\n')) text.pop_back();
        return text;
    }
    Errc errorOf(std::string_view expression) {
        const auto value = evaluateCpp(expression, *session_);
        EXPECT_FALSE(value) << expression;
        return value ? Errc::internal : value.error().code;
    }
};

TEST_F(CppExpression, NumbersAreDecimalAndHaveTypes) {
    EXPECT_EQ(shown("1+2"), "int 0n3");
    EXPECT_EQ(shown("10"), "int 0n10");
    EXPECT_EQ(shown("0x10"), "int 0n16");
    EXPECT_EQ(shown("010"), "int 0n8");
    EXPECT_EQ(shown("3000000000"), "int64 0n3000000000");
    EXPECT_EQ(shown("0x1234567812"), "int64 0n78187493394");
    EXPECT_EQ(shown("7u"), "unsigned int 7");
    EXPECT_EQ(shown("7ull"), "unsigned int64 7");
    EXPECT_EQ(shown("18446744073709551615"), "unsigned int64 0xffffffff`ffffffff");
    EXPECT_EQ(shown("1.5*2"), "double 3");
    EXPECT_EQ(shown("1.5f"), "float 1.5");
    EXPECT_EQ(shown("2e3"), "double 2000");
    EXPECT_EQ(shown("'a'"), "char 0n97 'a'");
    EXPECT_EQ(shown("'\\n'"), "char 0n10 ''");
}

TEST_F(CppExpression, OperatorsAreThoseOfC) {
    EXPECT_EQ(shown("2+3*4"), "int 0n14");
    EXPECT_EQ(shown("(2+3)*4 - 1"), "int 0n19");
    EXPECT_EQ(shown("5/2"), "int 0n2");
    EXPECT_EQ(shown("-7 % 4"), "int 0n-3");
    EXPECT_EQ(shown("1 << 4 | 1"), "int 0n17");
    EXPECT_EQ(shown("-8 >> 1"), "int 0n-4");
    EXPECT_EQ(shown("~0"), "int 0n-1");
    EXPECT_EQ(shown("-1"), "int 0n-1");
    EXPECT_EQ(shown("!0"), "bool true");
    EXPECT_EQ(shown("1==2"), "bool false");
    EXPECT_EQ(shown("1 < 2 && 2 <= 2"), "bool true");
    EXPECT_EQ(shown("1 ? 2 : 3"), "int 0n2");
    EXPECT_EQ(shown("-1 < 0u"), "bool false") << "compared without signs";
    EXPECT_EQ(shown("2147483647 + 1"), "int 0n-2147483648");
    EXPECT_EQ(shown("1/2.0"), "double 0.5");
    EXPECT_EQ(shown("-9223372036854775807 - 1"), "int64 0n-9223372036854775808");
    EXPECT_EQ(shown("(-9223372036854775807 - 1) / -1"), "int64 0n-9223372036854775808");
    EXPECT_EQ(shown("(-9223372036854775807 - 1) % -1"), "int64 0n0");
}

TEST_F(CppExpression, CastsAndSizes) {
    EXPECT_EQ(shown("(char)65"), "char 0n65 'A'");
    EXPECT_EQ(shown("(short)0x12345"), "short 0n9029");
    EXPECT_EQ(shown("(unsigned char)-1"), "unsigned char 0xff ''");
    EXPECT_EQ(shown("(unsigned long long)-1"), "unsigned int64 0xffffffff`ffffffff");
    EXPECT_EQ(shown("(bool)12"), "bool true");
    EXPECT_EQ(shown("(int)2.9"), "int 0n2");
    EXPECT_EQ(shown("(int)1e30"), "int 0n-1") << "the nearest of 64 bits, cut to 32";
    EXPECT_EQ(shown("sizeof(int)"), "unsigned int64 4");
    EXPECT_EQ(shown("sizeof(char *)"), "unsigned int64 8");
    EXPECT_EQ(shown("sizeof 1.5"), "unsigned int64 8");
    EXPECT_EQ(shown("(char)1 + (char)2"), "int 0n3");
}

TEST_F(CppExpression, RegistersAndMemory) {
    EXPECT_EQ(shown("@rax"), "unsigned int64 0x11223344`55667788");
    EXPECT_EQ(shown("@eax"), "unsigned int64 0x55667788");
    EXPECT_EQ(shown("@rsp+8"), "unsigned int64 0x7fff0808");
    EXPECT_EQ(shown("*(int*)0x10004"), "int 0n117835012");
    EXPECT_EQ(shown("((unsigned char*)0x10000)[3]"), "unsigned char 0x3 ''");
    EXPECT_EQ(shown("*((short*)0x10000 + 1)"), "short 0n770");
    EXPECT_EQ(shown("(int*)0x10010 - (int*)0x10000"), "int64 0n4");
    EXPECT_EQ(shown("&*(int*)0x10004"), "int * 0x00000000`00010004");
    EXPECT_EQ(shown("(char*)0x10050"), "char * 0x00000000`00010050\n \"Hello, ice core\"");
    EXPECT_EQ(shown("@@masm(10)"), "unsigned int64 0x10");
    EXPECT_EQ(shown("@@(poi(10000)) & 0xff"), "unsigned int64 0");
    EXPECT_EQ(run("? @@c++(10) + 10"), "Evaluate expression: 26 = 00000000`0000001a\n");
    EXPECT_EQ(run("? @@(sizeof(int)) * 2"), "Evaluate expression: 8 = 00000000`00000008\n");
    EXPECT_EQ(run("? @@masm(10)"), "Evaluate expression: 16 = 00000000`00000010\n");
}

TEST_F(CppExpression, HolesAreToldAndNothingIsMadeUp) {
    EXPECT_EQ(errorOf("*(int*)0x10040 + 1"), Errc::unreadable);
    EXPECT_EQ(shown("*(int*)0x10040"), "int ??");
    EXPECT_EQ(shown("(char*)0x5"), "char * 0x00000000`00000005\n \"\"");
    EXPECT_EQ(errorOf("nosuch"), Errc::not_found);
    EXPECT_EQ(errorOf("@nosuch"), Errc::not_found);
    EXPECT_EQ(errorOf("1.x"), Errc::usage);
}

TEST_F(CppExpression, BadTextIsRefused) {
    for (const char* text : {"",
                             "1 +",
                             "(1",
                             "1)",
                             "1 2",
                             "*",
                             "*1",
                             "&1",
                             "[1]",
                             "1[2]",
                             "1.5 % 2",
                             "\"text\"",
                             "'",
                             "'ab'",
                             "''",
                             "1 ? 2",
                             "sizeof",
                             "(int)",
                             "@",
                             "@@",
                             "@@masm(1",
                             "@@c++(1)",
                             "@@masm(@@c++(1))",
                             "#FIELD_OFFSET(1)",
                             "1/0",
                             "1%0",
                             "1.0/0",
                             "0x",
                             "08",
                             "1e",
                             "1->x",
                             "(int*)1 + (int*)2",
                             "1 - (int*)2"})
        EXPECT_EQ(errorOf(text), Errc::usage) << text;
    for (const char* change : {"1 = 2", "@rax = 1", "@rax += 1", "++@rax", "@rax--"}) {
        EXPECT_EQ(errorOf(change), Errc::usage) << change;
        EXPECT_THAT(run("?? " + std::string(change)), HasSubstr("cannot be changed"));
    }
    EXPECT_THAT(run("? @@c++(@@masm(1))"), HasSubstr("do not nest"));
    EXPECT_FALSE(good_);
}

TEST_F(CppExpression, NestingIsBounded) {
    EXPECT_EQ(errorOf(std::string(100'000, '(') + "1"), Errc::limit);
    EXPECT_EQ(errorOf(std::string(100'000, '~') + "1"), Errc::limit);
    std::string chosen;
    for (int i = 0; i < 10'000; ++i)
        chosen += "1?";
    EXPECT_EQ(errorOf(chosen + "1"), Errc::limit);
    std::string sum = "1";
    for (int i = 0; i < 5000; ++i)
        sum += "+1";
    EXPECT_EQ(shown(sum), "int 0n5001");
}

}  // namespace
}  // namespace icecore::debugger
