// Kernel dumps made here, byte by byte, from the documented layout: one memory in each of the
// forms, read back to the same.
#include "formats/winkernel/kernel_dump.h"

#include <gtest/gtest.h>

#include "arch/windows_context.h"
#include "formats/winkernel/layout.h"

namespace icecore::winkernel {
namespace {

constexpr std::uint64_t kernelBase = 0xfffff80000000000, listHead = kernelBase + 0x100;
constexpr std::uint64_t stackAt = kernelBase + 0x3000;

/// Physical memory of 16 pages: page tables in pages 1 to 4, the kernel's data in 5 to 9, of which
/// page 7 is in transition; page 10 and on are not in the dump.
class KernelDump : public testing::Test {
protected:
    KernelDump() : physical_(16 * pageSize) {
        entry(1, kernelBase >> 39U & 511U, 2 << 12U | 1);
        entry(2, kernelBase >> 30U & 511U, 3 << 12U | 1);
        entry(3, kernelBase >> 21U & 511U, 4 << 12U | 1);
        for (std::uint64_t page = 0; page < 4; ++page)
            entry(4, page, (5 + page) << 12U | 1);
        entry(4, 2, 7 << 12U | 1U << 11U);  // in transition
        entry(4, 4, 12 << 12U | 1);         // present, and its page is not in the dump
        entry(4, 5, std::uint64_t{0x1234} << 32U | 0x80);  // in the paging file
        // PsLoadedModuleList: the head, and two entries with their names.
        const std::uint64_t first = kernelBase + 0x200;
        const std::uint64_t second = kernelBase + 0x400;
        at64(0x100, first);
        at64(0x108, second);
        module(0x200, second, kernelBase, 0x800000, kernelBase + 0x800,
               u"\\SystemRoot\\ntoskrnl.exe");
        module(0x400, listHead, 0xfffff80100000000, 0x20000, kernelBase + 0x900,
               u"\\SystemRoot\\System32\\drivers\\faulty.sys");
    }

    void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
        storeInteger(physical_.data() + table * pageSize + index * 8, value);
    }
    /// A value of the kernel's data, whose first page is 5.
    void at64(std::uint64_t offset, std::uint64_t value) {
        storeInteger(physical_.data() + 5 * pageSize + offset, value);
    }
    void text(std::size_t offset, std::u16string_view what) {
        for (std::size_t i = 0; i < what.size(); ++i)
            storeInteger(physical_.data() + 5 * pageSize + offset + 2 * i,
                         static_cast<std::uint16_t>(what[i]));
    }
    static LoadedModule entryOf(std::uint64_t next, std::uint64_t base, std::uint32_t size,
                                std::uint64_t name, std::size_t length) {
        LoadedModule raw{};
        raw.next = next;
        raw.base = base;
        raw.imageSize = size;
        raw.checksum = 0x1111;
        raw.timestamp = 0x5f3c1a2b;
        raw.fullName.length = static_cast<std::uint16_t>(length * 2);
        raw.fullName.buffer = name;
        return raw;
    }
    void module(std::size_t offset, std::uint64_t next, std::uint64_t base, std::uint32_t size,
                std::uint64_t name, std::u16string_view path) {
        const LoadedModule raw = entryOf(next, base, size, name, path.size());
        std::memcpy(physical_.data() + 5 * pageSize + offset, &raw, sizeof raw);
        text(name - kernelBase, path);
    }

    static Header64 header(DumpKind kind) {
        Header64 raw{};
        raw.signature = signaturePage;
        raw.valid = valid64;
        raw.majorVersion = 15;
        raw.build = 19041;
        raw.directoryTable = 1 << 12U;
        raw.loadedModules = listHead;
        raw.machine = 0x8664;
        raw.processors = 4;
        raw.bugCheck = 0xd1;
        const std::array<std::uint64_t, 4> parameters = {0x28, 2, 0, 0xfffff80100001234};
        for (std::size_t i = 0; i < parameters.size(); ++i)
            raw.parameters[i] = parameters[i];
        raw.type = kind;
        raw.systemTime = 132'000'000'000'000'000;
        std::memcpy(raw.comment, "PAGEPAGE", 8);
        Context context{Registers(Arch::x86_64), {}, {}};
        context.registers.set(x64::rip, 0xfffff80100001234);
        context.registers.set(x64::rsp, stackAt + 0x80);
        const auto bytes = writeWindowsContext(context);
        std::ranges::copy(bytes, raw.context);
        return raw;
    }
    template <class T>
    static void append(std::vector<std::byte>& out, const T& what) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&what);
        out.insert(out.end(), bytes, bytes + sizeof what);
    }
    [[nodiscard]] std::span<const std::byte> page(std::uint64_t number) const {
        return std::span(physical_).subspan(number * pageSize, pageSize);
    }

    [[nodiscard]] std::vector<std::byte> full() const {
        Header64 raw = header(kindFull);
        raw.runCount = 2;
        raw.runs[0].basePage = 1;
        raw.runs[0].pageCount = 4;
        raw.runs[1].basePage = 5;
        raw.runs[1].pageCount = 5;
        std::vector<std::byte> file;
        append(file, raw);
        file.resize(headerSize);
        file.insert(file.end(), page(1).begin(), page(9).end());
        return file;
    }
    [[nodiscard]] std::vector<std::byte> bitmap(DumpKind kind, std::uint32_t signature) const {
        std::vector<std::byte> file;
        append(file, header(kind));
        file.resize(headerSize);
        BitmapHeader raw{};
        raw.signature = signature;
        raw.valid = bitmapValid;
        raw.firstPage = headerSize + pageSize;
        raw.present = 8;
        raw.pages = 16;
        append(file, raw);
        // Pages 1 to 4 and 5 to 9, but for page 6.
        file.push_back(std::byte{0b1011'1110});
        file.push_back(std::byte{0b0000'0011});
        file.resize(headerSize + pageSize);
        for (const std::uint64_t number : {1, 2, 3, 4, 5, 7, 8, 9})
            file.insert(file.end(), page(number).begin(), page(number).end());
        return file;
    }
    [[nodiscard]] std::vector<std::byte> triage() const {
        std::vector<std::byte> file;
        append(file, header(kindTriage));
        file.resize(headerSize);
        TriageHeader raw{};
        raw.topOfStack = stackAt + 0x80;
        raw.callStackOffset = 0x3000;
        raw.callStackSize = 0x100;
        raw.driverListOffset = 0x2800;
        raw.driverCount = 1;
        raw.dataBlocksOffset = 0x2700;
        raw.dataBlocksCount = 1;
        append(file, raw);
        file.resize(0x2700);
        TriageBlock block{};
        block.address = 0xfffff80100001000;
        block.offset = 0x3100;
        block.size = 0x80;
        append(file, block);
        file.resize(0x2800);
        TriageDriver driver{};
        driver.nameOffset = 0x2900;
        driver.entry = entryOf(0, 0xfffff80100000000, 0x20000, 0, 0);
        append(file, driver);
        file.resize(0x2904);
        for (const char16_t unit : std::u16string(u"faulty.sys\0", 11))
            appendInteger(file, static_cast<std::uint16_t>(unit));
        file.resize(0x3180, std::byte{0x5a});
        return file;
    }

    static Result<Snapshot> open(std::vector<std::byte> file) {
        const auto source = memorySource(std::move(file), "MEMORY.DMP");
        return windowsKernelDumpFormat().open(source);
    }

    std::vector<std::byte> physical_;
};

TEST_F(KernelDump, FullDumpsAreReadThroughThePageTables) {
    const auto snapshot = open(full());
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_TRUE(snapshot->issues.items().empty()) << snapshot->issues.items()[0].describe();
    const Process& kernel = *snapshot->process;
    EXPECT_EQ(kernel.system.os, Os::windows);
    EXPECT_EQ(kernel.system.arch, Arch::x86_64);
    EXPECT_EQ(kernel.system.build, 19041U);
    EXPECT_EQ(kernel.system.cpuCount, 4U);
    EXPECT_EQ(snapshot->provenance.type, "full");
    ASSERT_TRUE(kernel.exception);
    EXPECT_EQ(kernel.exception->code, 0xd1U);
    EXPECT_EQ(kernel.exception->parameters.at(3), 0xfffff80100001234);
    ASSERT_EQ(kernel.modules.size(), 2U);
    EXPECT_EQ(kernel.modules[0].fileName(), "ntoskrnl.exe");
    EXPECT_EQ(kernel.modules[1].path, "\\SystemRoot\\System32\\drivers\\faulty.sys");
    EXPECT_EQ(kernel.modules[1].range, Range::ofSize(0xfffff80100000000, 0x20000));
    EXPECT_EQ(kernel.modules[1].timestamp, 0x5f3c1a2bU);
    EXPECT_EQ(kernel.modules.coverage, Coverage::complete);
    ASSERT_EQ(kernel.threads.size(), 1U);
    EXPECT_EQ(kernel.threads[0].context->registers.sp(), stackAt + 0x80);
}

TEST_F(KernelDump, HolesOfVirtualMemoryAreOfTheirKind) {
    const auto snapshot = open(full());
    ASSERT_TRUE(snapshot);
    const AddressSpace& memory = *snapshot->process->memory;
    std::array<std::byte, 8> piece;
    EXPECT_EQ(memory.read(kernelBase + 0x2000, piece).bytes, 8U) << "in transition";
    EXPECT_EQ(memory.read(kernelBase + 0x4000, piece).stopped, Absence::not_captured);
    EXPECT_EQ(memory.read(kernelBase + 0x5000, piece).stopped, Absence::not_present);
    EXPECT_EQ(memory.read(kernelBase + 0x6000, piece).stopped, Absence::not_mapped);
    EXPECT_EQ(memory.read(0x10000, piece).stopped, Absence::not_mapped);
    EXPECT_EQ(memory.read(0x0000800000000000, piece).stopped, Absence::not_mapped);
    const auto extents = memory.extents(Range::all());
    ASSERT_EQ(extents.size(), 2U);
    EXPECT_EQ(extents[0].range, Range::ofSize(kernelBase, 0x4000));
    EXPECT_EQ(extents[1].absence, Absence::not_captured);
    // A read goes on over the borders of pages.
    std::vector<std::byte> all(0x4000);
    EXPECT_EQ(memory.read(kernelBase, all).bytes, 0x4000U);
    EXPECT_TRUE(std::ranges::equal(all, std::span(physical_).subspan(5 * pageSize, 0x4000)));
}

TEST_F(KernelDump, BitmapsTellWhichPagesAreThere) {
    for (const auto& [kind, signature] :
         {std::pair(kindBitmapFull, bitmapFull), std::pair(kindBitmapKernel, bitmapSummary),
          std::pair(kindLive8, bitmapSummary)}) {
        const auto snapshot = open(bitmap(kind, signature));
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        const AddressSpace& memory = *snapshot->process->memory;
        EXPECT_EQ(snapshot->process->modules.size(), 2U);
        std::array<std::byte, 8> piece;
        EXPECT_EQ(memory.read(kernelBase + 0x1000, piece).stopped, Absence::not_captured);
        EXPECT_EQ(memory.read(kernelBase + 0x2000, piece).bytes, 8U);
        const auto physical = snapshot->machine->physical->extents(Range::all());
        ASSERT_EQ(physical.size(), 2U);
        EXPECT_EQ(physical[0].range, Range::between(1 * pageSize, 6 * pageSize));
        EXPECT_EQ(physical[1].range, Range::between(7 * pageSize, 10 * pageSize));
    }
}

TEST_F(KernelDump, SmallDumpsHaveListsAndTheStack) {
    const auto snapshot = open(triage());
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const Process& kernel = *snapshot->process;
    ASSERT_EQ(kernel.modules.size(), 1U);
    EXPECT_EQ(kernel.modules[0].path, "faulty.sys");
    EXPECT_EQ(kernel.threads[0].stack, Range::ofSize(stackAt + 0x80, 0x100));
    std::array<std::byte, 8> piece;
    EXPECT_EQ(kernel.memory->read(stackAt + 0x80, piece).bytes, 8U);
    EXPECT_EQ(kernel.memory->read(0xfffff80100001000, piece).bytes, 8U);
    EXPECT_EQ(kernel.memory->read(kernelBase, piece).bytes, 0U);
}

/// Every question a view asks.
void touch(const Snapshot& snapshot) {
    std::array<std::byte, 64> piece;
    for (const Module& module : snapshot.process->modules)
        (void)snapshot.process->memory->read(module.range.begin(), piece);
    (void)snapshot.process->memory->extents(Range::all());
    (void)snapshot.machine->physical->extents(Range::all());
}

TEST_F(KernelDump, CutAtEveryOffset) {
    for (const std::vector<std::byte>& whole :
         {full(), bitmap(kindBitmapKernel, bitmapSummary), triage()}) {
        for (std::size_t size = 0; size < whole.size(); size += size < 0x3000 ? 61 : 997) {
            const auto snapshot =
                open(std::vector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
            if (size < headerSize) {
                EXPECT_FALSE(snapshot) << size;
            }
            if (snapshot) touch(*snapshot);
        }
    }
}

TEST_F(KernelDump, OneFieldWrongAtATime) {
    for (const std::vector<std::byte>& whole :
         {full(), bitmap(kindBitmapFull, bitmapFull), triage()}) {
        const auto breakAt = [&](std::size_t offset) {
            for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
                std::vector<std::byte> broken = whole;
                storeInteger(broken.data() + offset, value);
                const auto snapshot = open(std::move(broken));
                if (snapshot) touch(*snapshot);
            }
        };
        for (std::size_t offset = 0x10; offset < 0xd8; offset += 4)
            breakAt(offset);
        for (std::size_t offset = headerSize; offset < headerSize + 0x80; offset += 4)
            breakAt(offset);
    }
    // An unknown type is refused, and so is a bitmap without its signature.
    auto unknown = full();
    storeInteger(unknown.data() + 0xf98, std::uint32_t{77});
    EXPECT_FALSE(open(unknown));
    EXPECT_FALSE(open(bitmap(kindBitmapFull, 0)));
}

TEST_F(KernelDump, AListThatGoesInCirclesEnds) {
    at64(0x400, kernelBase + 0x200);  // the second entry leads to the first
    const auto snapshot = open(full());
    ASSERT_TRUE(snapshot);
    EXPECT_LE(snapshot->process->modules.size(), 4096U);
    EXPECT_EQ(snapshot->process->modules.coverage, Coverage::partial);
    EXPECT_FALSE(snapshot->issues.items().empty());
}

}  // namespace
}  // namespace icecore::winkernel
