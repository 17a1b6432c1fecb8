#include "arch/windows_context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "bytes/endian.h"

namespace icecore {
namespace {

/// Every register that a CONTEXT of this architecture can hold, each with a value of its own.
Context filled(Arch arch, std::initializer_list<RegisterId> without) {
    Context context{Registers(arch), {}, {}};
    const auto registers = archInfo(arch).registers;
    for (std::size_t id = 0; id < registers.size(); ++id) {
        if (std::ranges::find(without, static_cast<RegisterId>(id)) != without.end()) continue;
        const std::uint64_t value = 0x1122334455660000 + id * 0x101;
        const unsigned unused = 64 - registers[id].size * 8U;
        context.registers.set(static_cast<RegisterId>(id), value << unused >> unused);
    }
    return context;
}

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + seed);
    return bytes;
}

TEST(WindowsContext, Amd64KeepsEverythingItCanHold) {
    Context context = filled(Arch::x86_64, {x64::fs_base, x64::gs_base, x64::orig_rax});
    context.floatingPoint = SharedBytes::own(pattern(512, 1));
    const auto bytes = writeWindowsContext(context);
    EXPECT_EQ(bytes.size(), 1232U);
    EXPECT_EQ(loadInteger<std::uint32_t>(bytes.data() + 0x30), 0x10001fU);
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data() + 0xf8), context.registers.pc());
    EXPECT_EQ(std::memcmp(bytes.data() + 0x34, context.floatingPoint.span().data() + 24, 4), 0)
        << "MxCsr stands twice";
    const auto read = readWindowsContext(ByteView(bytes), Arch::x86_64);
    ASSERT_TRUE(read) << read.error().describe();
    EXPECT_EQ(*read, context);
}

TEST(WindowsContext, Amd64ExtendedStateFollowsInContextEx) {
    Context context = filled(Arch::x86_64, {x64::fs_base, x64::gs_base, x64::orig_rax});
    context.floatingPoint = SharedBytes::own(pattern(512, 1));
    auto area = pattern(512 + 64 + 256, 1);
    storeInteger(area.data() + 512, std::uint64_t{7});  // XSTATE_BV
    storeInteger(area.data() + 520, std::uint64_t{0});  // XCOMP_BV: standard format
    context.extended = SharedBytes::own(area);
    const auto bytes = writeWindowsContext(context);
    const auto read = readWindowsContext(ByteView(bytes), Arch::x86_64);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, context);

    // Compacted: the header, protection keys and the shadow stack's registers, nothing between.
    auto compacted = bytes;
    compacted.resize(0x500 + 64);
    storeInteger(compacted.data() + 0x500, std::uint64_t{0xa03});
    storeInteger(compacted.data() + 0x500 + 8, std::uint64_t{1} << 63 | 0xa03U);
    for (const std::uint64_t word : {0x55554444U, 1U, 0x12345678U})
        appendInteger(compacted, std::uint64_t{word});
    storeInteger(compacted.data() + 0x4d0 + 20, std::uint32_t{64 + 24});
    const auto expanded = readWindowsContext(ByteView(compacted), Arch::x86_64);
    ASSERT_TRUE(expanded);
    EXPECT_EQ(windowsShadowStackPointer(ByteView(compacted)), 0x12345678U);
    const auto standard = expanded->extended.span();
    ASSERT_EQ(standard.size(), 2688U + 8);
    EXPECT_EQ(loadInteger<std::uint64_t>(standard.data() + 512), 0x203U) << "no supervisor's part";
    EXPECT_EQ(loadInteger<std::uint64_t>(standard.data() + 520), 0U);
    EXPECT_EQ(loadInteger<std::uint64_t>(standard.data() + 2688), 0x55554444U);
    // Each length in between: nothing is read that is not there.
    for (std::uint32_t length = 0; length < 64 + 24; ++length) {
        storeInteger(compacted.data() + 0x4d0 + 20, length);
        const auto cut = readWindowsContext(ByteView(compacted), Arch::x86_64);
        ASSERT_TRUE(cut);
        EXPECT_FALSE(windowsShadowStackPointer(ByteView(compacted)));
    }
    // A component that nobody knows hides none of those before it.
    storeInteger(compacted.data() + 0x4d0 + 20, std::uint32_t{64 + 24});
    storeInteger(compacted.data() + 0x500 + 8, std::uint64_t{1} << 63 | 1ULL << 40U | 0xa03U);
    EXPECT_TRUE(windowsShadowStackPointer(ByteView(compacted)));
    for (const std::uint32_t wrong : {0xffffffffU, 0x7fffffffU, 1U}) {
        auto damaged = bytes;
        storeInteger(damaged.data() + 0x4d0 + 16, wrong);  // where the state is said to begin
        const auto survived = readWindowsContext(ByteView(damaged), Arch::x86_64);
        ASSERT_TRUE(survived);
        EXPECT_EQ(survived->registers, context.registers);
        damaged = bytes;
        storeInteger(damaged.data() + 0x4d0 + 20, wrong);  // and its length
        EXPECT_EQ(readWindowsContext(ByteView(damaged), Arch::x86_64)->registers,
                  context.registers);
    }
}

TEST(WindowsContext, OtherArchitectures) {
    Context x86 = filled(Arch::x86, {x86::orig_eax});
    x86.floatingPoint = SharedBytes::own(pattern(512, 3));
    auto bytes = writeWindowsContext(x86);
    EXPECT_EQ(bytes.size(), 716U);
    EXPECT_EQ(*readWindowsContext(ByteView(bytes), Arch::x86), x86);
    EXPECT_EQ(*readWindowsContext(ByteView(bytes), Arch::x86_64), x86) << "a 32-bit thread";

    Context arm64 = filled(Arch::arm64, {arm64::tpidr});
    auto vectors = pattern(528, 5);
    std::fill(vectors.begin() + 520, vectors.end(), std::byte{0});
    arm64.floatingPoint = SharedBytes::own(vectors);
    bytes = writeWindowsContext(arm64);
    EXPECT_EQ(bytes.size(), 796U);
    EXPECT_EQ(*readWindowsContext(ByteView(bytes), Arch::arm64), arm64);

    const Context arm = filled(Arch::arm, {});
    bytes = writeWindowsContext(arm);
    EXPECT_EQ(bytes.size(), 368U);
    EXPECT_EQ(*readWindowsContext(ByteView(bytes), Arch::arm), arm);
}

TEST(WindowsContext, MicrosoftsArm64Layout) {
    std::vector<std::byte> bytes(0x390);
    storeInteger(bytes.data(), std::uint32_t{0x400007});
    storeInteger(bytes.data() + 4, std::uint32_t{0x60000000});
    storeInteger(bytes.data() + 0xf0, std::uint64_t{0xf9});
    storeInteger(bytes.data() + 0xf8, std::uint64_t{0x1e});
    storeInteger(bytes.data() + 0x100, std::uint64_t{0x50});
    storeInteger(bytes.data() + 0x108, std::uint64_t{0x9c});
    storeInteger(bytes.data() + 0x110, std::uint64_t{0x77});
    storeInteger(bytes.data() + 0x310, std::uint32_t{0xc0});  // Fpcr
    storeInteger(bytes.data() + 0x314, std::uint32_t{0x50});  // Fpsr
    const auto context = readWindowsContext(ByteView(bytes), Arch::arm64);
    ASSERT_TRUE(context);
    EXPECT_EQ(context->registers.fp(), 0xf9U);
    EXPECT_EQ(context->registers.get(arm64::lr), 0x1eU);
    EXPECT_EQ(context->registers.sp(), 0x50U);
    EXPECT_EQ(context->registers.pc(), 0x9cU);
    EXPECT_EQ(context->registers.get(arm64::cpsr), 0x60000000U);
    const std::byte* state = context->floatingPoint.span().data();
    EXPECT_EQ(loadInteger<std::uint64_t>(state), 0x77U);
    EXPECT_EQ(loadInteger<std::uint32_t>(state + 512), 0x50U);
    EXPECT_EQ(loadInteger<std::uint32_t>(state + 516), 0xc0U);
}

TEST(WindowsContext, GroupsThatAreNotThereStayUnknown) {
    Context context{Registers(Arch::x86_64), {}, {}};
    context.registers.set(x64::rip, 1);
    context.registers.set(x64::rsp, 2);
    const auto bytes = writeWindowsContext(context);
    const auto read = readWindowsContext(ByteView(bytes), Arch::x86_64);
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->registers.has(x64::rax));
    EXPECT_TRUE(read->floatingPoint.empty());
    EXPECT_EQ(read->registers.get(x64::rip), 1U);
}

/// As Breakpad writes them on macOS.
TEST(WindowsContext, FlagsWithoutGroupsMeanTheUsualOnes) {
    const Context context =
        filled(Arch::x86_64, {x64::fs_base, x64::gs_base, x64::orig_rax, x64::dr0, x64::dr1,
                              x64::dr2, x64::dr3, x64::dr6, x64::dr7});
    auto bytes = writeWindowsContext(context);
    storeInteger(bytes.data() + 0x30, std::uint32_t{0x100000});
    const auto read = readWindowsContext(ByteView(bytes), Arch::x86_64);
    ASSERT_TRUE(read) << read.error().describe();
    EXPECT_EQ(read->registers, context.registers);
    EXPECT_TRUE(read->floatingPoint.empty());
}

TEST(WindowsContext, DamageIsAnError) {
    const auto bytes = writeWindowsContext(filled(Arch::x86_64, {}));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(readWindowsContext(ByteView(bytes).slice(0, size), Arch::x86_64)) << size;
    const std::vector<std::byte> zeros(2000);
    const auto nothing = readWindowsContext(ByteView(zeros), Arch::x86_64);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, Errc::malformed);
    EXPECT_TRUE(writeWindowsContext({}).empty());
}

}  // namespace
}  // namespace icecore
