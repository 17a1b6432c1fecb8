#include "model/wow64.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "arch/windows_context.h"
#include "memory/segment_space.h"

namespace icecore {
namespace {

constexpr std::uint64_t teb64 = 0x7fe000, teb32 = teb64 + 0x2000, peb32 = 0x7fb000,
                        cpuArea = 0x9efd20, code32 = 0x401234, wow64Dll = 0x7ffb'0000'0000;
constexpr std::uint64_t cpuSlot = teb64 + 0x1488, offsetField = teb64 + 0x180c;
constexpr std::size_t contextSize = 0x2cc, areaSize = 4 + contextSize;

/// A process of one thread, whose memory a test changes before it asks.
class Wow64 : public testing::Test {
protected:
    Wow64() {
        put(teb64, std::vector<std::byte>(0x2000));
        put(teb32, std::vector<std::byte>(0x1000));
        put<std::uint64_t>(cpuSlot, cpuArea);
        put<std::int32_t>(offsetField, 0x2000);
        put<std::uint32_t>(teb32 + 0x04, 0x1a0000);
        put<std::uint32_t>(teb32 + 0x18, teb32);
        put<std::uint32_t>(teb32 + 0x30, peb32);
        Registers narrow(Arch::x86);
        narrow.set(x86::eip, code32);
        narrow.set(x86::esp, 0x19f000);
        narrow.set(x86::ebp, 0x19f010);
        narrow.set(x86::eax, 0xdeadbeef);
        narrow.set(x86::cs, 0x23);
        std::vector<std::byte> area = {std::byte{0}, std::byte{0}, std::byte{0x4c}, std::byte{1}};
        const std::vector<std::byte> context = writeWindowsContext({narrow, {}, {}});
        area.insert(area.end(), context.begin(), context.end());
        put(cpuArea, area);

        process.system.os = Os::windows;
        process.system.arch = Arch::x86_64;
        Thread thread;
        thread.id = 0x100;
        thread.tls = teb64;
        thread.context = Context{wide(wow64Dll + 0x1000, 0x33), {}, {}};
        thread.stack = Range::ofSize(0x9ef000, 0x1000);
        process.threads.items.push_back(thread);
        Module module;
        module.path = R"(C:\Windows\System32\wow64.dll)";
        module.range = Range::ofSize(wow64Dll, 0x10000);
        process.modules.items.push_back(module);
        process.peb = 0x7fa000;
    }

    static Registers wide(std::uint64_t rip, std::uint64_t cs) {
        Registers registers(Arch::x86_64);
        registers.set(x64::rip, rip);
        registers.set(x64::cs, cs);
        registers.set(x64::rsp, 0x19e000);
        registers.set(x64::rax, 0xffffffff'00000005);
        return registers;
    }

    void put(std::uint64_t address, std::vector<std::byte> bytes) {
        pieces_[address] = std::move(bytes);
    }
    template <class T>
    void put(std::uint64_t address, std::type_identity_t<T> value) {
        auto& [begin, bytes] = *std::prev(pieces_.upper_bound(address));
        storeInteger(bytes.data() + (address - begin), value);
    }
    /// Less of what lies at `address`; nothing at all with 0.
    void cut(std::uint64_t address, std::size_t size) {
        if (size == 0)
            pieces_.erase(address);
        else
            pieces_.at(address).resize(size);
    }

    std::optional<ProcessSide> side(Issues* issues = nullptr) {
        std::vector<std::byte> file;
        std::vector<std::pair<Range, std::uint64_t>> stored;
        for (const auto& [address, bytes] : pieces_) {
            stored.emplace_back(Range::ofSize(address, bytes.size()), file.size());
            file.insert(file.end(), bytes.begin(), bytes.end());
        }
        SegmentSpaceBuilder builder(memorySource(std::move(file), "made up"));
        for (const auto& [range, offset] : stored)
            builder.addStored(range, offset);
        process.memory = builder.build();
        return wow64Side(process, issues);
    }
    /// What is told when the thread's 32-bit registers are not found.
    std::string refusal() {
        Issues issues;
        const auto narrow = side(&issues);
        EXPECT_TRUE(narrow && narrow->threads.size() == 1 && !narrow->threads[0].context);
        EXPECT_EQ(issues.items().size(), 1U);
        return issues.empty() ? "" : issues.items()[0].describe();
    }

    Process process;

private:
    std::map<std::uint64_t, std::vector<std::byte>> pieces_;
};

TEST_F(Wow64, RegistersStackAndBlocksAreFound) {
    Issues issues;
    const auto narrow = side(&issues);
    ASSERT_TRUE(narrow);
    EXPECT_TRUE(issues.empty());
    EXPECT_EQ(narrow->arch, Arch::x86);
    EXPECT_EQ(narrow->peb, peb32);
    ASSERT_EQ(narrow->threads.size(), 1U);
    const ProcessSide::ThreadSide& thread = narrow->threads[0];
    EXPECT_EQ(thread.tls, teb32);
    EXPECT_EQ(thread.stack, Range::between(0x19f000, 0x1a0000));
    ASSERT_TRUE(thread.context);
    EXPECT_EQ(thread.context->registers.pc(), code32);
    EXPECT_EQ(thread.context->registers.get(x86::eax), 0xdeadbeefU);
    EXPECT_EQ(thread.context->registers.arch(), Arch::x86);
}

TEST_F(Wow64, CodeThatRunsHasItsRegistersInTheProcessor) {
    process.threads[0].context->registers = wide(0x402000, 0x23);
    const auto narrow = side();
    ASSERT_TRUE(narrow && narrow->threads[0].context);
    EXPECT_EQ(narrow->threads[0].context->registers.pc(), 0x402000U);
    EXPECT_EQ(narrow->threads[0].context->registers.get(x86::eax), 5U) << "the lower half";
    EXPECT_EQ(narrow->threads[0].stack, Range::between(0x19e000, 0x1a0000));
    // The area is older, and need not be there.
    cut(cpuArea, 0);
    EXPECT_EQ(side(), narrow);
}

TEST_F(Wow64, OlderWindowsLeadsThereByTheExceptionList) {
    put<std::int32_t>(offsetField, 0);
    put<std::uint64_t>(teb64, teb32);
    put<std::uint16_t>(cpuArea + 2, 0);
    const auto narrow = side();
    ASSERT_TRUE(narrow);
    EXPECT_EQ(narrow->threads[0].tls, teb32);
    EXPECT_TRUE(narrow->threads[0].context);
    // A word that leads to no TEB is none.
    put<std::uint64_t>(teb64, teb32 + 8);
    Issues issues;
    EXPECT_FALSE(side(&issues)->threads[0].tls);
    ASSERT_EQ(issues.items().size(), 1U);
    EXPECT_EQ(issues.items()[0].describe(),
              "thread 100: its 64-bit TEB leads to no 32-bit one (0x7fe000)");
}

TEST_F(Wow64, BlocksThatWereNotDumpedStayHoles) {
    cut(teb32, 0);
    Issues issues;
    const auto narrow = side(&issues);
    ASSERT_TRUE(narrow && narrow->threads[0].context);
    EXPECT_TRUE(issues.empty()) << "where it is, is known";
    EXPECT_EQ(narrow->threads[0].tls, teb32);
    EXPECT_FALSE(narrow->threads[0].stack);
    EXPECT_FALSE(narrow->peb);
    cut(teb64, 0);
    EXPECT_EQ(refusal().substr(0, 79),
              "thread 100: its 64-bit TEB, which leads to its 32-bit registers, is not there: ");
    process.threads[0].tls.reset();
    EXPECT_FALSE(side()->threads[0].context);
    process.threads[0].context.reset();
    EXPECT_FALSE(side()->threads[0].context);
}

TEST_F(Wow64, CpuAreaOfAnyLength) {
    for (std::size_t size = 0; size < areaSize; size += size < 8 ? 1 : 7) {
        cut(cpuArea, size);
        const std::string told = refusal();
        EXPECT_NE(told.find("of its CPU area, with its 32-bit registers, " + std::to_string(size) +
                            " of 720 bytes are there"),
                  std::string::npos)
            << told;
        put(cpuArea, std::vector<std::byte>(areaSize));
    }
}

TEST_F(Wow64, CpuAreaWithWrongContent) {
    put<std::uint16_t>(cpuArea + 2, 0x1c4);
    EXPECT_EQ(refusal(), "thread 100: its CPU area is of machine 0x1c4, not x86 (0x9efd20)");
    put<std::uint16_t>(cpuArea + 2, 0x14c);
    for (const std::uint32_t flags : {0U, 0x100007U, 0x200007U, 0x400007U, 0x10008U}) {
        put<std::uint32_t>(cpuArea + 4, flags);
        EXPECT_EQ(refusal(), "thread 100: its CPU area holds no CONTEXT of x86 (0x9efd20)")
            << flags;
    }
}

TEST_F(Wow64, PointersThatLeadInCirclesOrNowhere) {
    // The slot itself, the TEBs, the last bytes there are: read as what they are not, or not there.
    for (const std::uint64_t to :
         {cpuSlot, cpuSlot - 4, teb64, teb32, UINT64_MAX, UINT64_MAX - 100, std::uint64_t{1}}) {
        put<std::uint64_t>(cpuSlot, to);
        refusal();
    }
    // No area: the thread has no 32-bit life, and nothing is wrong.
    put<std::uint64_t>(cpuSlot, 0);
    Issues issues;
    EXPECT_FALSE(side(&issues)->threads[0].context);
    EXPECT_TRUE(issues.empty());
    for (const std::int32_t offset : {INT32_MIN, INT32_MAX, -0x7fe000, 0x2008, -8}) {
        put<std::int32_t>(offsetField, offset);
        const auto tls = side()->threads[0].tls;
        EXPECT_TRUE(!tls || *tls <= UINT32_MAX) << offset;
    }
    process.threads[0].tls = UINT64_MAX - 0x10;
    EXPECT_FALSE(side()->threads[0].tls);
}

TEST_F(Wow64, OnlyProcessesThatAreOne) {
    EXPECT_TRUE(isWow64(process));
    process.modules[0].path = "C:\\x\\wow64cpu.dll";
    EXPECT_TRUE(isWow64(process));
    process.modules[0].path = "C:\\x\\kernel32.dll";
    EXPECT_FALSE(side());
    process.modules[0].path = "C:\\x\\wow64.dll";
    process.system.arch = Arch::x86;
    EXPECT_FALSE(side());
    process.system.arch = Arch::arm64;
    EXPECT_TRUE(side());
    process.system.os = Os::linux_os;
    EXPECT_FALSE(side());
}

TEST_F(Wow64, SidesAreExchangedAndBack) {
    Exception exception;
    exception.threadId = 0x100;
    exception.context = Context{wide(0x402000, 0x23), {}, {}};
    process.exception = exception;
    auto narrow = side();
    ASSERT_TRUE(narrow);
    const ProcessSide before = *narrow;
    exchangeSides(process, *narrow);
    EXPECT_EQ(process.system.arch, Arch::x86);
    EXPECT_EQ(process.peb, peb32);
    EXPECT_EQ(process.threads[0].tls, teb32);
    EXPECT_EQ(process.threads[0].context->registers.pc(), code32);
    EXPECT_EQ(process.exception->context->registers.get(x86::eip), 0x402000U);
    EXPECT_FALSE(wow64Side(process)) << "it stands there already";
    exchangeSides(process, *narrow);
    EXPECT_EQ(*narrow, before);
    EXPECT_EQ(process.system.arch, Arch::x86_64);
    EXPECT_EQ(process.exception->context->registers.arch(), Arch::x86_64);
    // A list of threads that grew shorter meanwhile.
    narrow->threads.clear();
    exchangeSides(process, *narrow);
    EXPECT_EQ(process.threads[0].tls, teb64);
}

TEST_F(Wow64, TheEventBelongsToOneOfThem) {
    EXPECT_FALSE(eventIs32Bit(process, *side())) << "there is none";
    process.exception = Exception();
    process.exception->threadId = 0x100;
    const auto at = [&](std::uint64_t rip, std::uint64_t cs) {
        process.exception->context = Context{wide(rip, cs), {}, {}};
        return eventIs32Bit(process, *side());
    };
    EXPECT_TRUE(at(0x402000, 0x23));
    EXPECT_TRUE(at(wow64Dll + 8, 0x33)) << "reported by the layer";
    EXPECT_FALSE(at(0x7ffc'0000'0000, 0x33)) << "64-bit code of its own";
    process.exception->context.reset();
    EXPECT_TRUE(eventIs32Bit(process, *side())) << "the thread stands in the layer";
    put<std::uint64_t>(cpuSlot, 0);
    EXPECT_FALSE(eventIs32Bit(process, *side())) << "of the 32-bit side nothing is known";
    process.exception->threadId = 1;
    EXPECT_FALSE(eventIs32Bit(process, *side()));
}

TEST_F(Wow64, WhatTellsWithoutAnEvent) {
    side();
    EXPECT_TRUE(goToTelling32BitSide(process));
    EXPECT_EQ(process.system.arch, Arch::x86);
    EXPECT_FALSE(goToTelling32BitSide(process));
    EXPECT_EQ(process.system.arch, Arch::x86);
}

TEST_F(Wow64, WhatTellsIsWhereTheEventWas) {
    side();
    process.exception = Exception();
    process.exception->threadId = 0x100;
    process.exception->context = Context{wide(0x7ffc'0000'0000, 0x33), {}, {}};
    EXPECT_FALSE(goToTelling32BitSide(process));
    process.exception->context = Context{wide(0x402000, 0x23), {}, {}};
    EXPECT_TRUE(goToTelling32BitSide(process));
}

}  // namespace
}  // namespace icecore
