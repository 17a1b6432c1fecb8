#include "debugger/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace icecore::debugger {
namespace {

using ::testing::HasSubstr;

class FakeScope final : public ExpressionScope {
public:
    std::map<std::string, std::uint64_t, std::less<>> registers = {
        {"rsp", 0x7ffe0000}, {"rax", 5}, {"$ip", 0x401000}, {"$t0", 7}};
    std::map<std::string, std::uint64_t, std::less<>> symbols = {
        {"main", 0x401100},
        {"libc!malloc", 0x7f0000001000},
        {"libstdc++!std::terminate", 0x7f0000002000},
        {"ld-linux-x86-64!_start", 0x7f0000003000},
        {"shop!names<int, 4>::operator+", 0x402000},
        {"app!work.cold", 0x403000}};
    std::map<std::uint64_t, std::uint64_t> memory = {{0x7ffe0000, 0x1122334455667788},
                                                     {0x7ffe0008, 0x7ffe0000}};
    unsigned base = 16;

    std::optional<std::uint64_t> registerValue(std::string_view name) const override {
        const auto found = registers.find(name);
        return found == registers.end() ? std::nullopt : std::optional(found->second);
    }
    Result<std::uint64_t> symbolValue(std::string_view name) const override {
        const auto found = symbols.find(name);
        if (found != symbols.end()) return found->second;
        return fail(Errc::not_found, "Couldn't resolve error at '" + std::string(name) + "'");
    }
    bool isModule(std::string_view name) const override {
        for (const auto& [symbol, address] : symbols) {
            if (symbol.starts_with(std::string(name) + "!")) return true;
        }
        return false;
    }
    Result<std::uint64_t> readMemory(std::uint64_t address, std::size_t size) const override {
        const auto found = memory.find(address);
        if (found == memory.end()) return fail(Errc::unreadable, "Memory access error");
        return size == 8 ? found->second : found->second & ((std::uint64_t{1} << (8 * size)) - 1);
    }
    std::size_t pointerSize() const override { return 8; }
    unsigned radix() const override { return base; }
};

std::uint64_t value(std::string_view text, const FakeScope& scope = {}) {
    const auto result = evaluate(text, scope);
    EXPECT_TRUE(result.has_value()) << text << ": " << (result ? "" : result.error().describe());
    return result.value_or(0xdead0000dead);
}

Errc errorOf(std::string_view text) {
    const auto result = evaluate(text, FakeScope());
    EXPECT_FALSE(result.has_value()) << text;
    return result ? Errc::internal : result.error().code;
}

TEST(Expression, NumbersAreHexUnlessTheySayOtherwise) {
    EXPECT_EQ(value("10"), 0x10U);
    EXPECT_EQ(value("0n10"), 10U);
    EXPECT_EQ(value("0t17"), 15U);
    EXPECT_EQ(value("0y101"), 5U);
    EXPECT_EQ(value("0x1F"), 0x1fU);
    EXPECT_EQ(value("1fh"), 0x1fU);
    EXPECT_EQ(value("00007ffe`12345678"), 0x7ffe12345678U);
    EXPECT_EQ(value("ffffffffffffffff"), UINT64_MAX);
    EXPECT_EQ(value("beef"), 0xbeefU);
    EXPECT_EQ(errorOf("1ffffffffffffffff"), Errc::usage);
}

TEST(Expression, RadixIsTheScopes) {
    FakeScope scope;
    scope.base = 10;
    EXPECT_EQ(value("10 + 0x10", scope), 26U);
    scope.base = 8;
    EXPECT_EQ(value("17", scope), 15U);
}

TEST(Expression, OperatorsBindAsInMasm) {
    EXPECT_EQ(value("2+3*4"), 14U);
    EXPECT_EQ(value("(2+3)*4"), 0x14U);
    EXPECT_EQ(value("0n10 - 2 - 3"), 5U);
    EXPECT_EQ(value("1 << 4 + 1"), 0x20U);
    EXPECT_EQ(value("f0 | f & 3"), 0xf3U);
    EXPECT_EQ(value("6 ^ 3"), 5U);
    EXPECT_EQ(value("7 and 3 or 8"), 0xbU);
    EXPECT_EQ(value("0n17 mod 5"), 2U);
    EXPECT_EQ(value("0n17 % 5"), 2U);
    EXPECT_EQ(value("1 == 1"), 1U);
    EXPECT_EQ(value("1 != 1"), 0U);
    EXPECT_EQ(value("2 > 1 & 1 < 2"), 1U);
    EXPECT_EQ(value("8000000000000000 >>> 3f"), UINT64_MAX);
    EXPECT_EQ(value("8000000000000000 >> 3f"), 1U);
    EXPECT_EQ(value("1 << 40"), 0U);
}

TEST(Expression, UnaryOperators) {
    EXPECT_EQ(value("-1"), UINT64_MAX);
    EXPECT_EQ(value("~0"), UINT64_MAX);
    EXPECT_EQ(value("not 0"), 1U);
    EXPECT_EQ(value("!5"), 0U);
    EXPECT_EQ(value("hi 12345678"), 0x1234U);
    EXPECT_EQ(value("low 12345678"), 0x5678U);
    EXPECT_EQ(value("2 - -3"), 5U);
}

TEST(Expression, RegistersWithAndWithoutAt) {
    EXPECT_EQ(value("@rsp+8"), 0x7ffe0008U);
    EXPECT_EQ(value("rsp + 8"), 0x7ffe0008U);
    EXPECT_EQ(value("$ip"), 0x401000U);
    EXPECT_EQ(value("@$t0 * 2"), 0xeU);
    EXPECT_EQ(value("."), 0x401000U);
    EXPECT_EQ(errorOf("@nonsense"), Errc::not_found);
}

TEST(Expression, SymbolsOfModulesWhoseNamesHoldOperators) {
    EXPECT_EQ(value("main"), 0x401100U);
    EXPECT_EQ(value("libc!malloc+0x10"), 0x7f0000001010U);
    EXPECT_EQ(value("libstdc++!std::terminate"), 0x7f0000002000U);
    EXPECT_EQ(value("ld-linux-x86-64!_start - 1"), 0x7f0000002fffU);
    EXPECT_EQ(value("4+libc!malloc"), 0x7f0000001004U);
    EXPECT_EQ(value("app!work.cold"), 0x403000U);
    EXPECT_EQ(value("@!\"shop!names<int, 4>::operator+\" + 1"), 0x402001U);
}

TEST(Expression, UnknownNamesAreNamed) {
    const auto result = evaluate("libc!nothing", FakeScope());
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_THAT(result.error().message, HasSubstr("libc!nothing"));
}

TEST(Expression, MemoryIsReadInEachSize) {
    EXPECT_EQ(value("poi(rsp)"), 0x1122334455667788U);
    EXPECT_EQ(value("qwo(rsp)"), 0x1122334455667788U);
    EXPECT_EQ(value("dwo(rsp)"), 0x55667788U);
    EXPECT_EQ(value("wo(rsp)"), 0x7788U);
    EXPECT_EQ(value("by(rsp)"), 0x88U);
    EXPECT_EQ(value("poi(poi(rsp+8))"), 0x1122334455667788U);
    EXPECT_EQ(value("poi rsp"), 0x1122334455667788U);
    EXPECT_EQ(errorOf("poi(0)"), Errc::unreadable);
}

TEST(Expression, ABlankEndsItUnlessAnOperatorFollows) {
    const FakeScope scope;
    const auto first = evaluatePrefix("rsp L10", scope);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->value, 0x7ffe0000U);
    EXPECT_EQ(first->rest, "L10");
    const auto second = evaluatePrefix("rsp + 8 rax", scope);
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(second->value, 0x7ffe0008U);
    EXPECT_EQ(second->rest, "rax");
}

TEST(Expression, BadTextIsRefused) {
    for (const char* text : {"", " ", "1 +", "(1", "1)", "*2", "1 2", "poi(", "@", "@!\"x", "''"})
        EXPECT_EQ(errorOf(text), Errc::usage) << text;
    EXPECT_EQ(errorOf("1/0"), Errc::usage);
    EXPECT_EQ(errorOf("1 mod 0"), Errc::usage);
}

TEST(Expression, NestingIsBounded) {
    const std::string deep(100'000, '(');
    EXPECT_EQ(errorOf(deep + "1" + std::string(100'000, ')')), Errc::limit);
    EXPECT_EQ(errorOf(std::string(100'000, '-') + "1"), Errc::limit);
    std::string sum = "1";
    for (int i = 0; i < 10'000; ++i)
        sum += "+1";
    EXPECT_EQ(value(sum), 10'001U);
}

TEST(Expression, FunctionsCompareTextsAndAskForMemory) {
    EXPECT_EQ(value("$scmp(\"a\", \"a\")"), 0U);
    EXPECT_EQ(value("$scmp(\"a\", \"b\")"), UINT64_MAX);
    EXPECT_EQ(value("$scmp(\"b\",\"A\") + 1"), 2U);
    EXPECT_EQ(value("$sicmp(\"A\", \"a\") == 0"), 1U);
    EXPECT_EQ(value("$spat(\"kernel32\", \"KERN*\")"), 1U);
    EXPECT_EQ(value("$spat(\"kernel32\", \"n*\")"), 0U);
    EXPECT_EQ(value("$vvalid(0, 10)"), 0U);
    for (const char* text : {"$scmp(\"a\")", "$scmp(\"a\", \"b\"", "$nosuch(\"a\", \"b\")",
                             "$spat(a, b)", "$vvalid(1)"})
        EXPECT_EQ(errorOf(text), Errc::usage) << text;
}

TEST(Expression, CharactersAreTheirCodes) {
    EXPECT_EQ(value("'a'"), 0x61U);
    EXPECT_EQ(value("'ab' + 1"), 0x6163U);
}

}  // namespace
}  // namespace icecore::debugger
