#include "symbols/dwarf/expression.h"

#include <gtest/gtest.h>

#include <map>

namespace icecore {
namespace {

using Bytes = std::vector<int>;

struct Outcome {
    std::optional<std::uint64_t> value;
    Errc error = Errc::internal;
};

Outcome evaluate(const Bytes& code, std::optional<std::uint64_t> initial = std::nullopt,
                 std::uint8_t addressSize = 8) {
    std::vector<std::byte> bytes;
    for (const int byte : code)
        bytes.push_back(static_cast<std::byte>(byte));
    Registers registers(Arch::x86_64);
    registers.set(x64::rsp, 0x7000);
    registers.set(x64::rbp, 0x7100);
    registers.set(x64::rip, 0x401003);
    const std::map<std::uint64_t, std::uint64_t> memory = {{0x7008, 0x1122334455667788}};
    const ExpressionInput input{
        registers,
        [&](std::uint64_t address, std::size_t size) -> std::optional<std::uint64_t> {
            const auto found = memory.find(address);
            if (found == memory.end()) return std::nullopt;
            return size == 8 ? found->second : found->second & ((1ULL << (8 * size)) - 1);
        },
        0x10000, addressSize};
    const auto result = evaluateExpression(ByteView(bytes), input, initial);
    if (result) return {*result, Errc::internal};
    return {std::nullopt, result.error().code};
}

struct Case {
    const char* what;
    Bytes code;
    std::uint64_t value;
};

TEST(DwarfExpression, EveryOperation) {
    const std::vector<Case> cases = {
        {"addr", {0x03, 1, 0, 0, 0, 0, 0, 0, 0}, 0x10001},
        {"const1u", {0x08, 0xff}, 0xff},
        {"const1s", {0x09, 0xff}, ~0ULL},
        {"const2u", {0x0a, 0xfe, 0xff}, 0xfffe},
        {"const2s", {0x0b, 0xfe, 0xff}, ~0ULL - 1},
        {"const4u", {0x0c, 1, 2, 3, 0x84}, 0x84030201},
        {"const4s", {0x0d, 1, 2, 3, 0x84}, 0xffffffff84030201},
        {"const8u", {0x0e, 1, 2, 3, 4, 5, 6, 7, 8}, 0x0807060504030201},
        {"const8s", {0x0f, 1, 2, 3, 4, 5, 6, 7, 0x88}, 0x8807060504030201},
        {"constu", {0x10, 0xe5, 0x8e, 0x26}, 624485},
        {"consts", {0x11, 0x80, 0x7f}, static_cast<std::uint64_t>(-128)},
        {"lit0", {0x30}, 0},
        {"lit31", {0x4f}, 31},
        {"breg7", {0x77, 0x08}, 0x7008},
        {"breg6 negative", {0x76, 0x70}, 0x70f0},
        {"bregx", {0x92, 0x06, 0x10}, 0x7110},
        {"dup mul", {0x35, 0x12, 0x1e}, 25},
        {"drop", {0x31, 0x32, 0x13}, 1},
        {"over", {0x31, 0x32, 0x14}, 1},
        {"pick", {0x31, 0x32, 0x33, 0x15, 2}, 1},
        {"swap minus", {0x31, 0x35, 0x16, 0x1c}, 4},
        {"rot", {0x31, 0x32, 0x33, 0x17}, 2},
        {"abs", {0x09, 0xf6, 0x19}, 10},
        {"and", {0x3f, 0x36, 0x1a}, 6},
        {"div signed", {0x09, 0xf6, 0x33, 0x1b}, static_cast<std::uint64_t>(-3)},
        {"div of the lowest by -1",
         {0x0f, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x09, 0xff, 0x1b},
         0x8000000000000000},
        {"mod", {0x3f, 0x34, 0x1d}, 3},
        {"neg", {0x35, 0x1f}, static_cast<std::uint64_t>(-5)},
        {"not", {0x30, 0x20}, ~0ULL},
        {"or", {0x31, 0x34, 0x21}, 5},
        {"plus", {0x31, 0x34, 0x22}, 5},
        {"plus_uconst", {0x31, 0x23, 0x80, 0x01}, 129},
        {"shl", {0x31, 0x3f, 0x24}, 0x8000},
        {"shl too far", {0x31, 0x08, 64, 0x24}, 0},
        {"shr", {0x09, 0xff, 0x08, 60, 0x25}, 15},
        {"shra", {0x09, 0xf0, 0x32, 0x26}, static_cast<std::uint64_t>(-4)},
        {"shra too far", {0x09, 0xf0, 0x08, 200, 0x26}, ~0ULL},
        {"xor", {0x35, 0x36, 0x27}, 3},
        {"eq", {0x35, 0x35, 0x29}, 1},
        {"ge signed", {0x09, 0xff, 0x30, 0x2a}, 0},
        {"gt", {0x35, 0x34, 0x2b}, 1},
        {"le", {0x35, 0x34, 0x2c}, 0},
        {"lt signed", {0x09, 0xff, 0x30, 0x2d}, 1},
        {"ne", {0x35, 0x34, 0x2e}, 1},
        {"deref", {0x77, 0x08, 0x06}, 0x1122334455667788},
        {"deref_size", {0x77, 0x08, 0x94, 4}, 0x55667788},
        {"skip", {0x31, 0x2f, 1, 0, 0x32, 0x96}, 1},
        {"bra taken", {0x37, 0x31, 0x28, 1, 0, 0x32}, 7},
        {"bra not taken", {0x37, 0x30, 0x28, 1, 0, 0x32}, 2},
        // What every PLT has: CFA = rsp + 8 + ((rip & 15) >= 11) * 8.
        {"PLT", {0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22}, 0x7008},
    };
    for (const Case& each : cases)
        EXPECT_EQ(evaluate(each.code).value, each.value) << each.what;
}

TEST(DwarfExpression, TheInitialValueLiesOnTheStack) {
    EXPECT_EQ(evaluate({0x23, 0x10}, 0x100).value, 0x110U);
    EXPECT_EQ(evaluate({}, 0x100).value, 0x100U);
}

TEST(DwarfExpression, FourByteAddressesWrapAround) {
    EXPECT_EQ(evaluate({0x09, 0xff, 0x32, 0x22}, std::nullopt, 4).value, 1U);
    EXPECT_EQ(evaluate({0x09, 0xff, 0x30, 0x2d}, std::nullopt, 4).value, 1U);
}

TEST(DwarfExpression, WhatIsWrongIsAnError) {
    EXPECT_EQ(evaluate({}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x13}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x31, 0x17}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x31, 0x15, 1}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x31, 0x30, 0x1b}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x31, 0x30, 0x1d}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x31, 0x94, 3}).error, Errc::malformed);
    EXPECT_EQ(evaluate({0x97}).error, Errc::malformed);                 // DW_OP_push_object_address
    EXPECT_EQ(evaluate({0x31, 0x2f, 0, 0x80}).error, Errc::malformed);  // before the start
    EXPECT_EQ(evaluate({0x0e, 1, 2}).error, Errc::truncated);
    EXPECT_EQ(evaluate({0x31, 0x06}).error, Errc::unreadable);
    EXPECT_EQ(evaluate({0x70, 0}).error, Errc::not_found);  // rax is not known
}

TEST(DwarfExpression, AnEndlessOneEnds) {
    EXPECT_EQ(evaluate({0x2f, 0xfd, 0xff}).error, Errc::limit);
    EXPECT_EQ(evaluate(Bytes(65, 0x31)).error, Errc::limit);
    EXPECT_EQ(evaluate(Bytes(64, 0x31)).value, 1U);
}

}  // namespace
}  // namespace icecore
