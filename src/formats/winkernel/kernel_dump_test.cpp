// Kernel dumps of one made machine, in each of the forms and for each kind of processor, read back
// to the same.
#include "formats/winkernel/kernel_dump.h"

#include <gtest/gtest.h>

#include "formats/image/image.h"
#include "formats/image/sample_machine.h"
#include "formats/winkernel/kernel_maker.h"
#include "model/snapshot.h"

namespace icecore::winkernel {
namespace {

Result<Snapshot> open(std::vector<std::byte> file) {
    const auto source = memorySource(std::move(file), "MEMORY.DMP");
    return windowsKernelDumpFormat().open(source);
}

Snapshot opened(std::vector<std::byte> file) {
    auto snapshot = open(std::move(file));
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

/// What is the same in every form that has physical memory.
void expectMachine(const KernelMaker& maker, const Snapshot& snapshot) {
    ASSERT_TRUE(snapshot.process && snapshot.machine);
    EXPECT_TRUE(snapshot.issues.items().empty()) << snapshot.issues.items()[0].describe();
    const Process& kernel = *snapshot.process;
    EXPECT_EQ(kernel.system.os, Os::windows);
    EXPECT_EQ(kernel.system.arch, maker.arch());
    EXPECT_EQ(kernel.system.build, 19041U);
    EXPECT_EQ(kernel.system.cpuCount, 2U);
    ASSERT_TRUE(kernel.exception);
    EXPECT_EQ(kernel.exception->code, maker.bugCheck);
    EXPECT_EQ(kernel.exception->parameters.at(0), maker.parameters[0]);
    ASSERT_EQ(kernel.modules.size(), 2U);
    EXPECT_EQ(kernel.modules[0].fileName(), "ntoskrnl.exe");
    EXPECT_EQ(kernel.modules[1].path, "\\SystemRoot\\System32\\drivers\\faulty.sys");
    EXPECT_EQ(kernel.modules[1].range,
              Range::ofSize(maker.base() + KernelMaker::driverBase, 0x20000));
    EXPECT_EQ(kernel.modules[1].timestamp, 0x5f3c1a2cU) << "in its new place";
    EXPECT_EQ(kernel.modules.coverage, Coverage::complete);
    ASSERT_EQ(kernel.unloadedModules.size(), 1U);
    EXPECT_EQ(kernel.unloadedModules[0].path, "gone.sys");
    EXPECT_EQ(kernel.unloadedModules[0].range, Range::ofSize(maker.base() + 0x2000000, 0x5000));
    // Both processors, of which the second stopped the machine.
    ASSERT_EQ(kernel.threads.size(), 2U);
    EXPECT_EQ(kernel.exception->threadId, 1U);
    EXPECT_EQ(kernel.threads[0].context->registers.pc(), maker.base() + 0x2222);
    EXPECT_EQ(kernel.threads[1].context->registers.pc(), maker.stoppedAt());
    EXPECT_EQ(kernel.threads[1].stack,
              Range::between(maker.stack() + 0x80, maker.stack() + KernelMaker::stackSize));
    EXPECT_EQ(snapshot.machine->cpus.size(), 2U);
    EXPECT_EQ(snapshot.machine->cpus.coverage, Coverage::complete);
    EXPECT_NE(snapshot.machine->hints.at("current process").find("faulty.exe"), std::string::npos);
}

constexpr std::array everyPaging = {Paging::x86, Paging::x86_pae, Paging::x64, Paging::x64_57,
                                    Paging::arm64};

TEST(KernelDump, FullDumpsAreReadThroughThePageTables) {
    for (const Paging paging : everyPaging) {
        SCOPED_TRACE(std::string(toString(paging)));
        const KernelMaker maker(paging);
        const Snapshot snapshot = opened(maker.full());
        expectMachine(maker, snapshot);
        EXPECT_EQ(snapshot.provenance.type, "full");
        EXPECT_TRUE(snapshot.provenance.time);
    }
}

TEST(KernelDump, BitmapsTellWhichPagesAreThere) {
    for (const Paging paging : everyPaging) {
        for (const auto& [kind, signature] :
             {std::pair(kindBitmapFull, bitmapFull), std::pair(kindBitmapKernel, bitmapSummary),
              std::pair(kindSummary, bitmapSummary)}) {
            SCOPED_TRACE(std::string(toString(paging)) + " " + std::to_string(kind));
            const KernelMaker maker(paging);
            const Snapshot snapshot = opened(maker.bitmap(kind, signature));
            expectMachine(maker, snapshot);
            const auto physical = snapshot.machine->physical->extents(Range::all());
            ASSERT_EQ(physical.size(), 2U);
            EXPECT_EQ(physical[0].range, Range::between(1 * pageSize, 31 * pageSize));
            EXPECT_EQ(physical[1].range,
                      Range::between(32 * pageSize, (KernelMaker::pages - 1) * pageSize));
            std::array<std::byte, 8> piece;
            EXPECT_EQ(snapshot.process->memory->read(maker.base() + 0xf000, piece).stopped,
                      Absence::not_captured);
        }
    }
}

std::vector<std::byte> written(const Snapshot& snapshot, const Format& format,
                               WriteReport* report = nullptr) {
    MemorySink sink;
    SilentProgress progress;
    ImageOptions options;
    options.threads = 2;
    auto done = format.writeImage(snapshot, options, sink, progress);
    EXPECT_TRUE(done) << done.error().describe();
    EXPECT_TRUE(sink.finish());
    if (report != nullptr && done) *report = *std::move(done);
    return std::move(sink.bytes());
}

TEST(KernelDump, WrittenAgainItIsTheSameInEitherForm) {
    for (const Paging paging : {Paging::x64, Paging::x64_57, Paging::arm64}) {
        const KernelMaker maker(paging);
        const Snapshot first = opened(maker.bitmap(kindBitmapFull, bitmapFull));
        WriteReport report;
        const auto full = written(first, windowsKernelDumpFormat(), &report);
        EXPECT_TRUE(report.losses.items().empty()) << report.losses.items()[0].describe();
        const Snapshot second = opened(full);
        expectMachine(maker, second);
        EXPECT_EQ(second.provenance.type, "full");
        EXPECT_EQ(second.provenance.time, first.provenance.time);
        const Snapshot third = opened(written(second, windowsBitmapDumpFormat()));
        expectMachine(maker, third);
        EXPECT_EQ(third.provenance.type, "full (bitmap)");
        EXPECT_EQ(third.machine->physical->extents(Range::all()),
                  first.machine->physical->extents(Range::all()));
        EXPECT_EQ(written(third, windowsKernelDumpFormat()), full);
    }
}

TEST(KernelDump, TheBitmapLeavesOutWhatCouldNotBeRead) {
    using image::testing::MadeUpMemory;
    const std::vector<Range> ranges = {Range::between(0x1000, 0x9fc00),
                                       Range::between(0x100000, 0x1ff000)};
    const std::vector<Range> failing = {Range::between(0x10000, 0x13000),
                                        Range::between(0x1fd000, 0x1fe000)};
    const auto memory = std::make_shared<MadeUpMemory>(ranges, failing);
    WriteReport report;
    const auto bytes =
        written(image::testing::machineOf(memory), windowsBitmapDumpFormat(), &report);
    EXPECT_EQ(report.unread, failing);
    const Snapshot snapshot = opened(bytes);
    EXPECT_FALSE(snapshot.process) << "nobody said what ran there";
    const AddressSpace& physical = *snapshot.machine->physical;
    EXPECT_EQ(image::storedRanges(physical),
              (std::vector{Range::between(0x1000, 0x10000), Range::between(0x13000, 0xa0000),
                           Range::between(0x100000, 0x1fd000), Range::ofSize(0x1fe000, 0x1000)}));
    std::vector<std::byte> page(4096);
    for (const Range& range : image::storedRanges(physical)) {
        for (std::uint64_t at = range.begin(); at < range.end(); at += page.size()) {
            ASSERT_EQ(physical.read(at, page).bytes, page.size());
            for (std::size_t i = 0; i < page.size() && at + i != 0x9fc00; ++i)
                ASSERT_EQ(page[i], MadeUpMemory::byteAt(at + i)) << std::hex << at + i;
        }
    }
    EXPECT_EQ(bytes.size() % pageSize, 0U);
}

TEST(KernelDump, RangesOfPages) {
    for (const DumpKind kind : {kindKernel, kindKernelAndUser, kindComplete}) {
        SCOPED_TRACE(kind);
        const KernelMaker maker(Paging::x64);
        const Snapshot snapshot = opened(maker.ranges(kind));
        expectMachine(maker, snapshot);
        const auto physical = snapshot.machine->physical->extents(Range::all());
        ASSERT_EQ(physical.size(), 2U) << "the rest of the list is no range";
        EXPECT_EQ(physical[0].range, Range::between(1 * pageSize, 31 * pageSize));
    }
}

TEST(KernelDump, HolesOfVirtualMemoryAreOfTheirKind) {
    KernelMaker maker(Paging::x64);
    maker.map(maker.base() + 0x20000, 18 * pageSize, 0x800);    // in transition
    maker.map(maker.base() + 0x21000, 0x100 * pageSize);        // its page is not in the dump
    maker.map(maker.base() + 0x22000, 0x1234ULL << 32U, 0x80);  // in the paging file
    const Snapshot snapshot = opened(maker.full());
    const AddressSpace& memory = *snapshot.process->memory;
    std::array<std::byte, 8> piece;
    EXPECT_EQ(memory.read(maker.base() + 0x20000, piece).bytes, 8U);
    EXPECT_EQ(memory.read(maker.base() + 0x21000, piece).stopped, Absence::not_captured);
    EXPECT_EQ(memory.read(maker.base() + 0x22000, piece).stopped, Absence::not_present);
    EXPECT_EQ(memory.read(maker.base() + 0x23000, piece).stopped, Absence::not_mapped);
    EXPECT_EQ(memory.read(0x0000800000000000, piece).stopped, Absence::not_mapped);
}

TEST(KernelDump, SmallDumpsHaveListsAndTheStack) {
    for (const Paging paging : {Paging::x64, Paging::arm64, Paging::x86}) {
        SCOPED_TRACE(std::string(toString(paging)));
        const KernelMaker maker(paging);
        const Snapshot snapshot = opened(maker.triage());
        EXPECT_TRUE(snapshot.issues.items().empty()) << snapshot.issues.items()[0].describe();
        const Process& kernel = *snapshot.process;
        ASSERT_EQ(kernel.modules.size(), 2U);
        EXPECT_EQ(kernel.modules[0].path, "faulty.sys");
        EXPECT_EQ(kernel.modules[0].timestamp, 0x5f3c1a2bU) << "entries of dumps never changed";
        EXPECT_EQ(kernel.modules[1].range, Range::ofSize(maker.base() + 0x3000000, 0x8000));
        ASSERT_EQ(kernel.unloadedModules.size(), 1U);
        EXPECT_EQ(kernel.unloadedModules[0].path, "gone.sys");
        ASSERT_EQ(kernel.threads.size(), 1U);
        EXPECT_EQ(kernel.threads[0].id, 1U);
        EXPECT_EQ(kernel.threads[0].stack, Range::ofSize(maker.stack() + 0x80, 0x2f80));
        EXPECT_NE(snapshot.machine->hints.at("current process").find("faulty.exe"),
                  std::string::npos);
        std::array<std::byte, 8> piece;
        EXPECT_EQ(kernel.memory->read(maker.stack() + 0x80, piece).bytes, 8U);
        EXPECT_EQ(kernel.memory->read(maker.base() + KernelMaker::contextAt, piece).bytes, 8U);
        EXPECT_EQ(kernel.memory->read(maker.base(), piece).bytes, 0U);
    }
}

TEST(KernelDump, TheRegistersAtTheFaultComeFromATrapFrame) {
    for (const Paging paging : {Paging::x86, Paging::x64, Paging::arm64}) {
        SCOPED_TRACE(std::string(toString(paging)));
        KernelMaker maker(paging);
        maker.trapFrame();
        maker.parameters[3] = maker.faultAt();
        for (const auto& file : {maker.full(), maker.triage()}) {
            const Snapshot snapshot = opened(file);
            const Exception& exception = *snapshot.process->exception;
            ASSERT_TRUE(exception.context) << std::string(toString(paging));
            EXPECT_EQ(exception.address, maker.faultAt());
            EXPECT_EQ(exception.context->registers.sp(), maker.faultStack());
            const RegisterId result = paging == Paging::x64     ? RegisterId{x64::rax}
                                      : paging == Paging::arm64 ? RegisterId{arm64::x0}
                                                                : RegisterId{x86::eax};
            EXPECT_EQ(exception.context->registers.get(result), 0x1111U);
        }
        // KERNEL_SECURITY_CHECK_FAILURE names the frame itself.
        maker.bugCheck = 0x139;
        maker.parameters = {3, maker.trapFrame(), 0, 0};
        EXPECT_EQ(opened(maker.full()).process->exception->address, maker.faultAt());
        maker.parameters[1] += 0x100;
        EXPECT_EQ(opened(maker.full()).process->exception->address, maker.stoppedAt())
            << "there is no frame";
    }
}

TEST(KernelDump, TheRegistersAtTheFaultComeFromAContext) {
    for (const Paging paging : {Paging::x86_pae, Paging::x64_57, Paging::arm64}) {
        SCOPED_TRACE(std::string(toString(paging)));
        KernelMaker maker(paging);
        maker.bugCheck = 0x1000007e;
        maker.parameters = {0xc0000005, maker.faultAt(), 0, maker.contextRecord()};
        for (const auto& file : {maker.full(), maker.triage()}) {
            const Exception exception = *opened(file).process->exception;
            ASSERT_TRUE(exception.context);
            EXPECT_EQ(exception.context->registers.pc(), maker.faultAt());
            EXPECT_EQ(exception.context->registers.sp(), maker.faultStack());
        }
    }
}

TEST(KernelDump, WithoutTheDebuggersDataThereIsOneProcessor) {
    KernelMaker maker(Paging::x64);
    maker.put(KernelMaker::debuggerAt + debugger_data::tag, Le32{0});  // encrypted
    const Snapshot snapshot = opened(maker.full());
    EXPECT_EQ(snapshot.process->threads.size(), 1U);
    EXPECT_EQ(snapshot.process->unloadedModules.coverage, Coverage::absent);
    EXPECT_EQ(snapshot.machine->cpus.coverage, Coverage::partial);
    EXPECT_EQ(snapshot.process->modules.size(), 2U);
}

/// Every question a view asks.
void touch(const Snapshot& snapshot) {
    std::array<std::byte, 64> piece;
    for (const Module& module : snapshot.process->modules)
        (void)snapshot.process->memory->read(module.range.begin(), piece);
    (void)snapshot.process->memory->extents(Range::all());
    (void)snapshot.machine->physical->extents(Range::all());
}

/// Whatever it is, its description leads back to it.
void describeAndBuild(const std::vector<std::byte>& file) {
    const Format format = windowsKernelDumpFormat();
    if (const auto text = format.describe(memorySource(file, "MEMORY.DMP"))) {
        const auto again = format.build(*text);
        EXPECT_TRUE(again && *again == file);
    }
}

std::vector<std::vector<std::byte>> everyForm() {
    KernelMaker maker(Paging::x64);
    maker.bugCheck = 0x7e;
    maker.parameters[3] = maker.contextRecord();
    const KernelMaker old(Paging::x86_pae);
    return {maker.full(),
            maker.bitmap(kindBitmapFull, bitmapFull),
            maker.ranges(kindComplete),
            maker.triage(),
            old.full(),
            old.bitmap(kindSummary, bitmapSummary),
            old.triage()};
}

TEST(KernelDump, IsDescribedAndBuiltAgain) {
    const Format format = windowsKernelDumpFormat();
    const std::array expected = {
        "DUMP_HEADER64", "BITMAP_DUMP",    "PFN_RANGE range.1",           "unloaded.0",
        "PaeEnabled: 1", "SUMMARY_DUMP32", "DUMP_DRIVER_ENTRY32 driver.1"};
    const auto forms = everyForm();
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const auto text = format.describe(memorySource(forms[i], "MEMORY.DMP"));
        ASSERT_TRUE(text) << text.error().describe();
        EXPECT_NE(text->find(expected.at(i)), std::string::npos) << *text;
        const auto again = format.build(*text);
        ASSERT_TRUE(again) << again.error().describe();
        EXPECT_TRUE(*again == forms[i]) << i;
    }
}

TEST(KernelDump, CutAtEveryOffset) {
    for (const std::vector<std::byte>& whole : everyForm()) {
        for (std::size_t size = 0; size < whole.size(); size += size < 0x3000 ? 61 : 1997) {
            const auto snapshot =
                open(std::vector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
            if (size < headerSize32) {
                EXPECT_FALSE(snapshot) << size;
            }
            if (snapshot) touch(*snapshot);
        }
    }
}

TEST(KernelDump, OneFieldWrongAtATime) {
    for (const std::vector<std::byte>& whole : everyForm()) {
        const auto breakAt = [&](std::size_t offset) {
            for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
                std::vector<std::byte> broken = whole;
                storeInteger(broken.data() + offset, value);
                // Text of the large ones takes long, and their lists are the same.
                if (whole.size() < 64 << 10 && value > 1) describeAndBuild(broken);
                const auto snapshot = open(std::move(broken));
                if (snapshot) touch(*snapshot);
            }
        };
        for (std::size_t offset = 0x10; offset < 0xd8; offset += 4)
            breakAt(offset);
        for (const std::uint64_t lists : {headerSize32, headerSize}) {
            for (std::size_t offset = lists; offset < lists + 0x80; offset += 4)
                breakAt(offset);
        }
    }
    // An unknown type is refused, and so is a bitmap without its signature.
    const KernelMaker maker(Paging::x64);
    auto unknown = maker.full();
    storeInteger(unknown.data() + 0xf98, std::uint32_t{77});
    EXPECT_FALSE(open(unknown));
    EXPECT_FALSE(open(maker.bitmap(kindBitmapFull, 0)));
    EXPECT_FALSE(open(maker.bitmap(kindComplete, bitmapFull)));
}

TEST(KernelDump, TheDebuggersDataMayLie) {
    for (std::uint32_t field = 0x218; field < 0x2c4; field += 2) {
        for (const unsigned value : {0U, 1U, 0x7fffU, 0xffffU}) {
            KernelMaker maker(Paging::x64);
            maker.put(KernelMaker::debuggerAt + field, Le16{static_cast<std::uint16_t>(value)});
            touch(opened(maker.full()));
            touch(opened(maker.triage()));
        }
    }
}

TEST(KernelDump, AListThatGoesInCirclesEnds) {
    KernelMaker maker(Paging::x64);
    maker.pointer(0x400, maker.base() + 0x200);  // the second entry leads to the first
    const Snapshot snapshot = opened(maker.full());
    EXPECT_LE(snapshot.process->modules.size(), 4096U);
    EXPECT_EQ(snapshot.process->modules.coverage, Coverage::partial);
    EXPECT_FALSE(snapshot.issues.items().empty());
}

TEST(KernelDump, ASmallDumpThatWasNotFinishedIsTold) {
    const KernelMaker maker(Paging::x64);
    std::vector<std::byte> file = maker.triage();
    file.resize(file.size() - 4);
    const Snapshot snapshot = opened(file);
    ASSERT_FALSE(snapshot.issues.items().empty());
    EXPECT_NE(snapshot.issues.items()[0].describe().find("not written to its end"),
              std::string::npos);
}

}  // namespace
}  // namespace icecore::winkernel
