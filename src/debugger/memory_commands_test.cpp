#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "debugger/interpreter_fixture.h"

namespace icecore::debugger {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MemoryCommands : public InterpreterTest {};

TEST_F(MemoryCommands, BytesWithText) {
    EXPECT_EQ(run("db 10000 L10"),
              "00000000`00010000  00 01 02 03 04 05 06 07-08 09 0a 0b 0c 0d 0e 0f  "
              "................\n");
    EXPECT_EQ(run("db 10050 L5"),
              "00000000`00010050  48 65 6c 6c 6f                                   Hello\n");
}

TEST_F(MemoryCommands, HolesAreQuestionMarksNeverZeros) {
    EXPECT_EQ(run("db 10038 L10"),
              "00000000`00010038  38 39 3a 3b 3c 3d 3e 3f-?? ?? ?? ?? ?? ?? ?? ??  "
              "89:;<=>?????????\n");
    EXPECT_EQ(run("dd 1003c L2"), "00000000`0001003c  3f3e3d3c ????????\n");
    EXPECT_EQ(run("dq 1003c L1"), "00000000`0001003c  ????????`????????\n");
    EXPECT_EQ(run("dw 1003e L2"), "00000000`0001003e  3f3e ????\n");
    EXPECT_EQ(run("dps 10040 L1"), "00000000`00010040  ????????`????????\n");
    EXPECT_THAT(run("da 0"), HasSubstr("\"????"));
    EXPECT_THAT(run("u 0 L1"), HasSubstr("??              ???"));
}

TEST_F(MemoryCommands, WiderValues) {
    EXPECT_EQ(run("dd 10000 L5"),
              "00000000`00010000  03020100 07060504 0b0a0908 0f0e0d0c\n"
              "00000000`00010010  13121110\n");
    EXPECT_EQ(run("dq 10000 L2"), "00000000`00010000  07060504`03020100 0f0e0d0c`0b0a0908\n");
    EXPECT_EQ(run("dc 10050 L4"),
              "00000000`00010050  6c6c6548 69202c6f 63206563 0065726f  Hello, ice core.\n");
}

TEST_F(MemoryCommands, TextEndsAtNul) {
    EXPECT_EQ(run("da 10050"), "00000000`00010050  \"Hello, ice core\"\n");
    EXPECT_EQ(run("du 10060"), "00000000`00010060  \"Wide\"\n");
    EXPECT_EQ(run("da 10050 L5"), "00000000`00010050  \"Hello\"\n");
}

TEST_F(MemoryCommands, GoOnWhereTheyEnded) {
    run("db 10000 L10");
    EXPECT_THAT(run("d"), HasSubstr("00000000`00010010  10 11"));
    EXPECT_THAT(run("dd L4"), Not(HasSubstr("00010090")));
}

TEST_F(MemoryCommands, RangesByCountEndAndBackwards) {
    EXPECT_EQ(run("db 10000 10003"),
              "00000000`00010000  00 01 02 03                                      ....\n");
    EXPECT_EQ(run("db 10004 L-4"),
              "00000000`00010000  00 01 02 03                                      ....\n");
    EXPECT_THAT(run("db 10000 L10000001"), HasSubstr("Range error"));
    EXPECT_THAT(run("db 10000 L?ffffffffffffffff L"), HasSubstr("error"));
}

TEST_F(MemoryCommands, SearchFindsEveryKind) {
    EXPECT_EQ(run("s -[1]a 0 L?7fffffffffff needle"), "0x00000000`0001006a\n0x00000000`00010071\n");
    EXPECT_THAT(run("s -b 10000 L80 3e 3f"), HasSubstr("00000000`0001003e  3e 3f ??"));
    EXPECT_EQ(run("s -[1]d 0 L?ffffffff 0b0a0908"), "0x00000000`00010008\n");
    EXPECT_EQ(run("s -[1]w 0 L?ffff0000 0908"), "0x00000000`00010008\n");
    EXPECT_EQ(run("s -[1]q 0 L?fffff000 401020"), "0x00000000`7fff0808\n");
    EXPECT_EQ(run("s -[1]u 0 L?100000 Wide"), "0x00000000`00010060\n");
    EXPECT_THAT(run("s -sa 10050 L30"), HasSubstr("\"Hello, ice core\""));
    EXPECT_THAT(run("s -su 10060 L8"), HasSubstr("\"Wide\""));
    EXPECT_EQ(run("s -a 0 L?7fffffffffff nowhere"), "");
    EXPECT_THAT(run("s -b 0 L100 100"), HasSubstr("does not fit"));
}

TEST_F(MemoryCommands, SearchStaysInsideItsRange) {
    EXPECT_EQ(run("s -[1]b 10000 L4 03"), "0x00000000`00010003\n");
    EXPECT_EQ(run("s -[1]b 10000 L3 03"), "");
    EXPECT_EQ(run("s -[1]b 10000 L4 03 04"), "");
}

TEST_F(MemoryCommands, AddressTellsWhatLiesThere) {
    EXPECT_THAT(run("!address 10000"), HasSubstr("PAGE_READWRITE"));
    EXPECT_THAT(run("!address 401000"), HasSubstr("Module Name:            made-up"));
    EXPECT_THAT(run("!address 7fff0800"), HasSubstr("[~0; 1234.1234]"));
    EXPECT_THAT(run("!address 0"), HasSubstr("MEM_FREE"));
    EXPECT_THAT(run("!address"), HasSubstr("MEM_IMAGE   MEM_COMMIT  PAGE_EXECUTE_READ"));
    EXPECT_THAT(run("!address -summary"), HasSubstr("--- Usage Summary"));
}

TEST_F(MemoryCommands, CodeIsDisassembledForwardsAndBack) {
    EXPECT_EQ(run("u 401000 L3"),
              "made-up+0x1000:\n"
              "00000000`00401000 55              push    rbp\n"
              "00000000`00401001 4889e5          mov     rbp,rsp\n"
              "00000000`00401004 833f00          cmp     dword ptr [rdi],0\n");
    EXPECT_THAT(run("ub 401004 L2"), HasSubstr("00000000`00401001 4889e5"));
}

}  // namespace
}  // namespace icecore::debugger
