#include "unwind/call_site.h"

#include <gtest/gtest.h>

#include <vector>

#include "arch/disassembler.h"
#include "images/elf_image.h"

namespace icecore {
namespace {

std::optional<CallSite> before(Arch arch, std::uint64_t address, const std::vector<int>& code) {
    std::vector<std::byte> bytes;
    bytes.reserve(code.size());
    for (const int byte : code)
        bytes.push_back(static_cast<std::byte>(byte));
    return callEndingAt(arch, address, bytes);
}

TEST(CallSite, DirectCallsHaveATarget) {
    const auto call = before(Arch::x86_64, 0x401005, {0xe8, 0xfb, 0xff, 0xff, 0xff});
    ASSERT_TRUE(call);
    EXPECT_EQ(call->target, 0x401000U);
    const auto bl = before(Arch::arm64, 0x401008, {0xff, 0xff, 0xff, 0x97});  // bl .-4
    ASSERT_TRUE(bl);
    EXPECT_EQ(bl->target, 0x401000U);
}

TEST(CallSite, WhatIsNoCallIsNone) {
    EXPECT_FALSE(before(Arch::x86_64, 0x401005, {0xe9, 0xfb, 0xff, 0xff, 0xff}));  // jmp
    EXPECT_FALSE(before(Arch::x86_64, 0x401002, {0xff, 0xe0}));                    // jmp rax
    EXPECT_FALSE(before(Arch::x86_64, 0x401000, {}));
    EXPECT_FALSE(before(Arch::arm64, 0x401008, {0xff, 0xff, 0xff, 0x17}));  // b
    EXPECT_FALSE(before(Arch::arm64, 0x401006, {0xff, 0xff, 0xff, 0x97}));  // not aligned
    EXPECT_FALSE(before(Arch::arm64, 0x401008, {0xc0, 0x03, 0x5f, 0xd6}));  // ret
}

/// Every call that the disassembler finds in real code is found from behind, with its target.
void compareWithDisassembler(const char* path, std::size_t atLeast) {
    const auto source = openMappedFile(path);
    if (!source) GTEST_SKIP() << path << " is not there";
    const auto image = ElfImage::open(*source);
    ASSERT_TRUE(image);
    const ElfSection* text = (*image)->section(".text");
    ASSERT_NE(text, nullptr);
    const auto content = (*image)->content(*text);
    ASSERT_TRUE(content);
    const auto code = content->span();
    const Arch arch = (*image)->arch();
    const auto disassembler = Disassembler::create(arch);
    ASSERT_TRUE(disassembler);

    // A part is enough: the sanitized disassembler is slow.
    constexpr std::size_t most = 200'000;
    std::size_t calls = 0;
    for (std::size_t at = 0; at < std::min(code.size(), most);) {
        const auto instruction = (*disassembler)->decode(code.subspan(at), text->address + at);
        if (!instruction) {
            at += archInfo(arch).minInstructionSize;
            continue;
        }
        const std::size_t end = at + instruction->bytes.size();
        const std::size_t begin = end > maxCallSize ? end - maxCallSize : 0;
        if (instruction->flow == Flow::call) {
            const auto found =
                callEndingAt(arch, text->address + end, code.subspan(begin, end - begin));
            ASSERT_TRUE(found) << instruction->mnemonic << " " << instruction->operands;
            // A register's call can end in bytes that look like a direct one; not the other way.
            if (instruction->target) {
                EXPECT_EQ(found->target, instruction->target);
            }
            ++calls;
        }
        at = end;
    }
    EXPECT_GE(calls, atLeast);
}

TEST(CallSite, CallsOfLibcAsTheDisassemblerFindsThem) {
    compareWithDisassembler("/lib/x86_64-linux-gnu/libc.so.6", 500);
}

TEST(CallSite, CallsOfLibstdcxxAsTheDisassemblerFindsThem) {
    compareWithDisassembler("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 500);
}

TEST(CallSite, CallsOfArm64LibcAsTheDisassemblerFindsThem) {
    compareWithDisassembler("/usr/aarch64-linux-gnu/lib/libc.so.6", 500);
}

}  // namespace
}  // namespace icecore
