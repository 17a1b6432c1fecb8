#include "live/linux/seccomp.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <vector>

namespace icecore::live::seccomp {
namespace {

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW, refuse = SECCOMP_RET_ERRNO | 1,
                        broken = SECCOMP_RET_KILL_PROCESS;

Instruction statement(int code, std::uint32_t k) {
    return {static_cast<std::uint16_t>(code), 0, 0, k};
}
Instruction jump(int code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
    return {static_cast<std::uint16_t>(code), yes, no, k};
}
Instruction load(std::uint32_t offset) {
    return statement(BPF_LD | BPF_W | BPF_ABS, offset);
}
Instruction answer(std::uint32_t value) {
    return statement(BPF_RET | BPF_K, value);
}

Data call(int number, std::uint64_t first = 0) {
    Data data{};
    data.number = number;
    data.architecture = 0xc000003e;
    data.instructionPointer = 0x7fff12345678;
    data.arguments[0] = first;
    return data;
}

TEST(SeccompFilter, ByNumberArchitectureAndArgument) {
    const std::vector<Instruction> program = {
        load(4), jump(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e, 1, 0), answer(broken), load(0),
        jump(BPF_JMP | BPF_JEQ | BPF_K, 56, 0, 3),
        // Namespaces only by root: what container runtimes ask of the flags of clone.
        load(16), jump(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1), answer(refuse),
        answer(allow)};
    EXPECT_EQ(run(program, call(0)), allow);
    EXPECT_EQ(run(program, call(56, 0x2400)), allow);
    EXPECT_EQ(run(program, call(56, 0x10000000)), refuse);
    Data other = call(56);
    other.architecture = 0x40000003;
    EXPECT_EQ(run(program, other), broken);
}

TEST(SeccompFilter, ArithmeticMemoryAndRegisters) {
    struct Case {
        int operation;
        std::uint32_t a, b, result;
    };
    for (const Case& one :
         {Case{BPF_ADD, 5, 7, 12}, Case{BPF_SUB, 5, 7, 0xfffffffe}, Case{BPF_MUL, 5, 7, 35},
          Case{BPF_DIV, 35, 7, 5}, Case{BPF_OR, 5, 8, 13}, Case{BPF_AND, 13, 5, 5},
          Case{BPF_XOR, 13, 5, 8}, Case{BPF_LSH, 1, 4, 16}, Case{BPF_RSH, 16, 4, 1},
          Case{BPF_LSH, 1, 32, 0}, Case{BPF_NEG, 1, 0, 0xffffffff}}) {
        // With a constant, and with X that went through memory.
        const std::vector<Instruction> constant = {
            statement(BPF_LD | BPF_IMM, one.a), statement(BPF_ALU | one.operation | BPF_K, one.b),
            statement(BPF_RET | BPF_A, 0)};
        EXPECT_EQ(run(constant, call(0)), one.result) << one.operation;
        const std::vector<Instruction> throughX = {statement(BPF_LD | BPF_IMM, one.b),
                                                   statement(BPF_ST, 3),
                                                   statement(BPF_LDX | BPF_MEM, 3),
                                                   statement(BPF_LD | BPF_IMM, one.a),
                                                   statement(BPF_ALU | one.operation | BPF_X, 0),
                                                   statement(BPF_MISC | BPF_TAX, 0),
                                                   statement(BPF_MISC | BPF_TXA, 0),
                                                   statement(BPF_RET | BPF_A, 0)};
        EXPECT_EQ(run(throughX, call(0)), one.result) << one.operation;
    }
}

TEST(SeccompFilter, ComparisonsAndJumps) {
    const auto compare = [&](int operation, std::uint32_t k) {
        const std::vector<Instruction> program = {
            load(0), jump(BPF_JMP | operation | BPF_K, k, 1, 0), answer(refuse), answer(allow)};
        return run(program, call(10)) == allow;
    };
    EXPECT_TRUE(compare(BPF_JGT, 9));
    EXPECT_FALSE(compare(BPF_JGT, 10));
    EXPECT_TRUE(compare(BPF_JGE, 10));
    EXPECT_FALSE(compare(BPF_JGE, 11));
    EXPECT_TRUE(compare(BPF_JSET, 2));
    EXPECT_FALSE(compare(BPF_JSET, 5));
    const std::vector<Instruction> always = {statement(BPF_JMP | BPF_JA, 1), answer(refuse),
                                             answer(allow)};
    EXPECT_EQ(run(always, call(0)), allow);
}

TEST(SeccompFilter, WhatIsNoFilterKills) {
    EXPECT_EQ(run({}, call(0)), broken);
    EXPECT_EQ(run(std::vector{load(64)}, call(0)), broken);
    EXPECT_EQ(run(std::vector{load(2)}, call(0)), broken);
    EXPECT_EQ(run(std::vector{load(0)}, call(0)), broken);  // runs off its end
    EXPECT_EQ(run(std::vector{statement(BPF_ST, 16)}, call(0)), broken);
    EXPECT_EQ(run(std::vector{statement(BPF_JMP | BPF_JA, 0xffffffff)}, call(0)), broken);
    EXPECT_EQ(run(std::vector{statement(BPF_ALU | BPF_DIV | BPF_X, 0), answer(allow)}, call(0)),
              broken);
    EXPECT_EQ(run(std::vector{statement(BPF_LD | BPF_W | BPF_IND, 0), answer(allow)}, call(0)),
              broken);
}

}  // namespace
}  // namespace icecore::live::seccomp
