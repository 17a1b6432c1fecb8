// Makes kernel dumps for tests, byte by byte, from the documented layout: one machine in each of
// the forms in which Windows dumps it.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <vector>

#include "arch/windows_context.h"
#include "formats/winkernel/layout.h"
#include "memory/page_tables.h"

namespace icecore::winkernel {

/// A small machine: its tables, two drivers, two processors, a stack with a trap frame.
class KernelMaker {
public:
    static constexpr std::uint64_t pages = 48, firstData = 16;
    /// Of the kernel's data, from `base` on.
    static constexpr std::uint64_t listAt = 0x100, debuggerAt = 0x1000, processorsAt = 0x1800,
                                   ringAt = 0x2000, prcbAt = 0x3000, threadAt = 0x6000,
                                   processAt = 0x6800, unloadedAt = 0x7000, stackAt = 0x8000,
                                   stackSize = 0x3000, contextAt = 0xc000, dataPages = 16;
    static constexpr std::uint64_t prcbSize = 0x1000, driverBase = 0x1000000;

    explicit KernelMaker(Paging paging) : paging_(paging), physical_(pages * pageSize) {
        for (std::uint64_t page = 0; page < dataPages; ++page)
            map(base() + page * pageSize, (firstData + page) * pageSize);
        makeDrivers();
        makeDebuggerData();
        makeProcessors();
        makeUnloaded();
    }

    [[nodiscard]] bool is64() const { return paging_ != Paging::x86 && paging_ != Paging::x86_pae; }
    [[nodiscard]] std::uint64_t base() const {
        switch (paging_) {
        case Paging::x86:
        case Paging::x86_pae: return 0x80400000;
        case Paging::x64_57: return 0xff12345678000000;
        default: return 0xfffff80012000000;
        }
    }
    [[nodiscard]] std::uint64_t stack() const { return base() + stackAt; }
    /// What the processor that stopped was at, and what the trap frame on its stack says.
    [[nodiscard]] std::uint64_t stoppedAt() const { return base() + 0x1111; }
    [[nodiscard]] std::uint64_t faultAt() const { return base() + driverBase + 0x1234; }
    [[nodiscard]] std::uint64_t faultStack() const { return stack() + 0x1000; }
    [[nodiscard]] Arch arch() const {
        switch (paging_) {
        case Paging::x86:
        case Paging::x86_pae: return Arch::x86;
        case Paging::arm64: return Arch::arm64;
        default: return Arch::x86_64;
        }
    }

    // The machine may be changed before it is dumped.
    std::uint32_t bugCheck = 0xd1;
    std::array<std::uint64_t, 4> parameters{0x28, 2, 0, 0};

    /// Maps one page; tables are taken from the low pages.
    void map(std::uint64_t address, std::uint64_t where, std::uint64_t flags = 0) {
        struct Shape {
            std::vector<unsigned> shifts;
            unsigned topBits, entry;
        };
        const std::map<Paging, Shape> shapes = {{Paging::x86, {{22, 12}, 10, 4}},
                                                {Paging::x86_pae, {{30, 21, 12}, 2, 8}},
                                                {Paging::x64, {{39, 30, 21, 12}, 9, 8}},
                                                {Paging::x64_57, {{48, 39, 30, 21, 12}, 9, 8}},
                                                {Paging::arm64, {{39, 30, 21, 12}, 9, 8}}};
        const Shape& shape = shapes.at(paging_);
        const std::uint64_t present = arch() == Arch::arm64 ? 3 : 1;
        std::uint64_t table = root();
        for (std::size_t i = 0; i < shape.shifts.size(); ++i) {
            const unsigned bits = i == 0 ? shape.topBits : shape.entry == 4 ? 10 : 9;
            const std::uint64_t index = address >> shape.shifts[i] & ((1U << bits) - 1);
            const std::uint64_t at = table + index * shape.entry;
            if (i + 1 == shape.shifts.size()) {
                entry(at, shape.entry, where | (flags == 0 ? present : flags));
                return;
            }
            if (loadInteger<std::uint32_t>(physical_.data() + at) == 0) {
                entry(at, shape.entry, nextTable_ * pageSize | present);
                ++nextTable_;
            }
            table = alignDown(loadInteger<std::uint32_t>(physical_.data() + at), pageSize);
        }
    }
    /// Bytes of the kernel's data.
    void put(std::uint64_t offset, std::span<const std::byte> bytes) {
        std::ranges::copy(
            bytes, physical_.begin() + static_cast<std::ptrdiff_t>(firstData * pageSize + offset));
    }
    template <class T>
        requires std::is_trivially_copyable_v<T>
    void put(std::uint64_t offset, const T& what) {
        put(offset, std::as_bytes(std::span(&what, 1)));
    }
    void pointer(std::uint64_t offset, std::uint64_t value) {
        if (is64())
            put(offset, Le64{value});
        else
            put(offset, Le32{static_cast<std::uint32_t>(value)});
    }
    void text(std::uint64_t offset, std::u16string_view what) {
        for (std::size_t i = 0; i < what.size(); ++i)
            put(offset + 2 * i, Le16{static_cast<std::uint16_t>(what[i])});
    }
    /// A KTRAP_FRAME on the stack, of a fault at faultAt(). Returns its address.
    std::uint64_t trapFrame() {
        const std::uint64_t at = is64() ? stackAt + 0x200 : faultStack() - base() - 0x74;
        if (arch() == Arch::arm64) {
            put(at + 0x90, Le32{0x60000145});  // Spsr: EL1
            put(at + 0x98, Le64{faultStack()});
            put(at + 0xa0, Le64{0x1111});              // X0
            put(at + 0x138, Le64{faultAt() + 0x100});  // Lr
            put(at + 0x140, Le64{stack() + 0x1200});   // Fp
            put(at + 0x148, Le64{faultAt()});
        } else if (is64()) {
            put(at + 0x30, Le64{0x1111});             // Rax
            put(at + 0x158, Le64{stack() + 0x1200});  // Rbp
            put(at + 0x168, Le64{faultAt()});
            put(at + 0x170, Le64{0x10});
            put(at + 0x178, Le64{0x10246});
            put(at + 0x180, Le64{faultStack()});
            put(at + 0x188, Le64{0x18});
        } else {
            put(at + 0x44, Le32{0x1111});  // Eax
            put(at + 0x60, Le32{static_cast<std::uint32_t>(stack() + 0x1200)});
            put(at + 0x68, Le32{static_cast<std::uint32_t>(faultAt())});
            put(at + 0x6c, Le32{8});
            put(at + 0x70, Le32{0x10246});
        }
        return base() + at;
    }
    /// A CONTEXT in the kernel's memory, of the same fault. Returns its address.
    std::uint64_t contextRecord() {
        put(contextAt, context(faultAt(), faultStack()));
        return base() + contextAt;
    }
    [[nodiscard]] std::vector<std::byte> context(std::uint64_t pc, std::uint64_t sp) const {
        Context context{Registers(arch()), {}, {}};
        context.registers.set(archInfo(arch()).pc, pc);
        context.registers.set(archInfo(arch()).sp, sp);
        return writeWindowsContext(context);
    }

    // The forms.
    [[nodiscard]] std::vector<std::byte> full() const {
        std::vector<std::byte> file = header(kindFull);
        runs(file, {{1, 15}, {16, pages - 17}});
        append(file, page(1), pages - 2);
        return file;
    }
    /// Types 2, 5 and 6: all pages but the first and the last, and without number 31.
    [[nodiscard]] std::vector<std::byte> bitmap(DumpKind kind, std::uint32_t signature) const {
        std::vector<std::byte> file = header(kind);
        const std::size_t firstPage = file.size() + pageSize;
        if (kind != kindSummary) {
            BitmapHeader raw{};
            raw.signature = signature;
            raw.valid = bitmapValid;
            raw.firstPage = firstPage;
            raw.present = pages - 3;
            raw.pages = pages;
            append(file, raw);
        } else if (is64()) {
            append(file, summary<SummaryHeader64>(firstPage));
        } else {
            append(file, summary<SummaryHeader32>(firstPage));
        }
        for (std::uint64_t byte = 0; byte < pages / 8; ++byte) {
            std::uint8_t bits = 0xff;
            if (byte == 0) bits = 0xfe;
            if (byte == 3) bits = 0x7f;
            if (byte == pages / 8 - 1) bits = 0x7f;
            file.push_back(std::byte{bits});
        }
        file.resize(firstPage);
        append(file, page(1), 30);
        append(file, page(32), pages - 33);
        // Microsoft's debugger reads nothing of a bitmap's pages without.
        if (is64())
            storeInteger(file.data() + offsetof(Header64, requiredSpace),
                         std::uint64_t{file.size()});
        return file;
    }
    /// Types 8, 9 and 10.
    [[nodiscard]] std::vector<std::byte> ranges(DumpKind kind) const {
        std::vector<std::byte> file = header(kind);
        const std::size_t firstPage = file.size() + pageSize;
        RangesHeader raw{};
        raw.marker = rangesMarker;
        raw.signature = rangesSignature;
        raw.valid = bitmapValid;
        raw.metadataSize = firstPage - 0x2020;
        raw.firstPage = firstPage;
        raw.rangeCount = 2;
        raw.pageCount = pages - 3;
        append(file, raw);
        for (const auto& [first, count] : {std::pair<std::uint64_t, std::uint64_t>(1, 30),
                                           std::pair<std::uint64_t, std::uint64_t>(32, pages - 33)})
            append(file, PageRange{Le64{first}, Le64{count}});
        // Behind the list of type 10 lies something else, which its count keeps out.
        if (kind == kindComplete) append(file, PageRange{Le64{3}, Le64{9}});
        file.resize(firstPage);
        append(file, page(1), 30);
        append(file, page(32), pages - 33);
        return file;
    }
    /// Type 4: the stack, the debugger's data, the KPRCB, thread, process, drivers loaded and gone,
    /// and one page of data.
    [[nodiscard]] std::vector<std::byte> triage() const {
        return is64() ? makeTriage<TriageHeader, TriageDriver64, UnloadedDriver64, Le64>()
                      : makeTriage<TriageHeader32, TriageDriver32, UnloadedDriver32, Le32>();
    }

private:
    [[nodiscard]] std::uint64_t root() const { return pageSize; }
    void entry(std::uint64_t at, unsigned size, std::uint64_t value) {
        if (size == 4)
            storeInteger(physical_.data() + at, static_cast<std::uint32_t>(value));
        else
            storeInteger(physical_.data() + at, value);
    }
    [[nodiscard]] std::uint16_t contextOffset() const { return 0x100; }

    template <class Entry>
    Entry entryOf(std::uint64_t next, std::uint64_t at, std::uint32_t size, std::uint64_t name,
                  std::size_t length) const {
        Entry raw{};
        raw.next = narrow<decltype(raw.next)>(next);
        raw.base = narrow<decltype(raw.base)>(at);
        raw.imageSize = size;
        raw.checksum = 0x1111;
        raw.timestamp = 0x5f3c1a2b;
        raw.fullName.length = static_cast<std::uint16_t>(length * 2);
        raw.fullName.buffer = narrow<decltype(raw.fullName.buffer)>(name);
        return raw;
    }
    template <class T>
    static T narrow(std::uint64_t value) {
        if constexpr (sizeof(T) == 8)
            return T{value};
        else
            return T{static_cast<std::uint32_t>(value)};
    }
    template <class Entry>
    void driver(std::uint64_t offset, std::uint64_t next, std::uint64_t at, std::uint32_t size,
                std::uint64_t name, std::u16string_view path) {
        put(offset, entryOf<Entry>(next, at, size, base() + name, path.size()));
        text(name, path);
        // Newer kernels have the time stamp further back, and something else in its old place.
        put(offset + (is64() ? movedTimestamp64 : movedTimestamp32), Le32{0x5f3c1a2c});
    }
    void makeDrivers() {
        const std::uint64_t first = base() + 0x200;
        const std::uint64_t second = base() + 0x400;
        pointer(listAt, first);
        pointer(listAt + (is64() ? 8 : 4), second);
        constexpr std::u16string_view kernel = u"\\SystemRoot\\ntoskrnl.exe",
                                      faulty = u"\\SystemRoot\\System32\\drivers\\faulty.sys";
        const std::uint64_t at = base() + driverBase;
        if (is64()) {
            driver<LoadedModule64>(0x200, second, base(), 0x10000, 0x800, kernel);
            driver<LoadedModule64>(0x400, base() + listAt, at, 0x20000, 0x900, faulty);
        } else {
            driver<LoadedModule32>(0x200, second, base(), 0x10000, 0x800, kernel);
            driver<LoadedModule32>(0x400, base() + listAt, at, 0x20000, 0x900, faulty);
        }
        pointer(0x200 + (is64() ? 8 : 4), base() + listAt);
    }
    void makeDebuggerData() {
        put(debuggerAt + debugger_data::tag, Le32{debuggerDataTag});
        // Pointers have 64 bits, also of a 32-bit kernel: then sign-extended.
        const auto wide = [&](std::uint64_t address) {
            return is64() ? address : address | 0xffffffff00000000;
        };
        const auto offset = [&](std::uint32_t field, std::uint16_t value) {
            put(debuggerAt + field, Le16{value});
        };
        put(debuggerAt + debugger_data::kernelBase, Le64{wide(base())});
        put(debuggerAt + debugger_data::processorBlock, Le64{wide(base() + processorsAt)});
        put(debuggerAt + debugger_data::unloadedDrivers, Le64{wide(base() + ringAt)});
        offset(debugger_data::prcbSize, prcbSize);
        offset(debugger_data::prcbCurrentThread, 8);
        offset(debugger_data::prcbNumber, 0x24);
        offset(debugger_data::prcbContext, contextOffset());
        offset(debugger_data::threadSize, 0x400);
        offset(debugger_data::threadInitialStack, 0x28);
        offset(debugger_data::threadProcess, 0x30);
        offset(debugger_data::processSize, 0x600);
    }
    void makeProcessors() {
        for (std::uint64_t i = 0; i < 2; ++i) {
            const std::uint64_t prcb = prcbAt + i * prcbSize;
            pointer(processorsAt + i * (is64() ? 8 : 4), base() + prcb);
            put(prcb + 0x24, Le32{static_cast<std::uint32_t>(i)});
            pointer(prcb + 8, base() + threadAt);
            put(prcb + contextOffset(), i == 1 ? context(stoppedAt(), stack() + 0x80)
                                               : context(base() + 0x2222, stack() + 0x2800));
        }
        pointer(threadAt + 0x28, stack() + stackSize);
        pointer(threadAt + 0x30, base() + processAt);
        constexpr std::string_view name = "faulty.exe";
        put(processAt + 0x5a8, std::as_bytes(std::span(name)));
    }
    void makeUnloaded() {
        constexpr std::u16string_view name = u"gone.sys";
        pointer(ringAt, base() + unloadedAt);
        text(unloadedAt + 0xe00, name);
        const auto bytes = static_cast<std::uint16_t>(2 * name.size());
        const std::uint64_t at = base() + 0x2000000;
        if (is64()) {
            UnloadedInMemory64 raw{};
            raw.name.length = bytes;
            raw.name.buffer = base() + unloadedAt + 0xe00;
            raw.begin = at;
            raw.end = at + 0x5000;
            put(unloadedAt, raw);
        } else {
            UnloadedInMemory32 raw{};
            raw.name.length = bytes;
            raw.name.buffer = static_cast<std::uint32_t>(base() + unloadedAt + 0xe00);
            raw.begin = static_cast<std::uint32_t>(at);
            raw.end = static_cast<std::uint32_t>(at + 0x5000);
            put(unloadedAt, raw);
        }
    }

    template <class Header>
    Header filled(DumpKind kind) const {
        Header raw{};
        raw.signature = signaturePage;
        raw.majorVersion = 15;
        raw.build = 19041;
        raw.directoryTable = narrow<decltype(raw.directoryTable)>(root());
        raw.loadedModules = narrow<decltype(raw.loadedModules)>(base() + listAt);
        raw.debuggerData = narrow<decltype(raw.debuggerData)>(base() + debuggerAt);
        raw.machine = arch() == Arch::x86 ? 0x14c : arch() == Arch::arm64 ? 0xaa64 : 0x8664;
        raw.processors = 2;
        raw.bugCheck = bugCheck;
        for (std::size_t i = 0; i < parameters.size(); ++i)
            raw.parameters[i] =
                narrow<std::remove_cvref_t<decltype(raw.parameters[i])>>(parameters[i]);
        raw.type = kind;
        raw.systemTime = 132'000'000'000'000'000;
        std::memcpy(raw.comment, "PAGEPAGE", 8);
        std::ranges::copy(context(stoppedAt(), stack() + 0x80), raw.context);
        return raw;
    }
    [[nodiscard]] std::vector<std::byte> header(DumpKind kind) const {
        std::vector<std::byte> file;
        if (is64()) {
            Header64 raw = filled<Header64>(kind);
            raw.valid = valid64;
            append(file, raw);
            file.resize(headerSize);
        } else {
            Header32 raw = filled<Header32>(kind);
            raw.valid = valid32;
            raw.paeEnabled = paging_ == Paging::x86_pae ? 1 : 0;
            append(file, raw);
        }
        return file;
    }
    void runs(std::vector<std::byte>& file,
              const std::vector<std::pair<std::uint64_t, std::uint64_t>>& list) const {
        std::size_t at = is64() ? offsetof(Header64, runCount) : offsetof(Header32, runCount);
        storeInteger(file.data() + at, static_cast<std::uint32_t>(list.size()));
        at += is64() ? 16 : 8;
        for (const auto& [first, count] : list) {
            for (const std::uint64_t value : {first, count}) {
                if (is64())
                    storeInteger(file.data() + at, value);
                else
                    storeInteger(file.data() + at, static_cast<std::uint32_t>(value));
                at += is64() ? 8 : 4;
            }
        }
    }
    template <class Summary>
    static Summary summary(std::size_t firstPage) {
        Summary raw{};
        raw.signature = bitmapSummary;
        raw.valid = bitmapValid;
        raw.headerSize = static_cast<std::uint32_t>(firstPage);
        raw.bitmapBits = pages;
        raw.pages = pages - 3;
        raw.sizeOfBitmap = pages;
        return raw;
    }
    template <class Lists, class Driver, class Unloaded, class Count>
    [[nodiscard]] std::vector<std::byte> makeTriage() const {
        std::vector<std::byte> file = header(kindTriage);
        const std::size_t listsAt = file.size();
        file.resize(0x2800);
        const auto place = [&](std::uint64_t offset, std::size_t size) {
            const std::size_t at = file.size();
            const auto bytes = std::span(physical_).subspan(firstData * pageSize + offset, size);
            file.insert(file.end(), bytes.begin(), bytes.end());
            return static_cast<std::uint32_t>(at);
        };
        Lists lists{};
        lists.topOfStack = narrow<decltype(lists.topOfStack)>(stack() + 0x80);
        lists.callStackOffset = place(stackAt + 0x80, stackSize - 0x80);
        lists.callStackSize = stackSize - 0x80;
        lists.debuggerDataOffset = place(debuggerAt, debugger_data::wanted);
        lists.debuggerDataSize = debugger_data::wanted;
        lists.prcbOffset = place(prcbAt + prcbSize, prcbSize);
        lists.threadOffset = place(threadAt, 0x400);
        lists.processOffset = place(processAt, 0x600);
        TriageBlock block{};
        block.address = is64() ? base() + contextAt : (base() + contextAt) | 0xffffffff00000000;
        block.offset = place(contextAt, pageSize);
        block.size = pageSize;
        lists.dataBlocksOffset = static_cast<std::uint32_t>(file.size());
        lists.dataBlocksCount = 1;
        append(file, block);
        lists.unloadedOffset = static_cast<std::uint32_t>(file.size());
        Unloaded unloaded{};
        constexpr std::u16string_view gone = u"gone.sys", faulty = u"faulty.sys";
        unloaded.name.length = static_cast<std::uint16_t>(2 * gone.size());
        for (std::size_t i = 0; i < gone.size(); ++i)
            unloaded.text[i] = static_cast<std::uint16_t>(gone[i]);
        unloaded.begin = narrow<decltype(unloaded.begin)>(base() + 0x2000000);
        unloaded.end = narrow<decltype(unloaded.end)>(base() + 0x2005000);
        append(file, Count{1});
        append(file, unloaded);
        const auto nameAt = static_cast<std::uint32_t>(file.size());
        append(file, Le32{static_cast<std::uint32_t>(faulty.size())});  // as real dumps have it
        for (const char16_t unit : faulty)
            append(file, Le16{static_cast<std::uint16_t>(unit)});
        append(file, Le16{});
        lists.driverListOffset = static_cast<std::uint32_t>(file.size());
        lists.driverCount = 2;
        Driver driver{};
        driver.nameOffset = nameAt;
        driver.entry = entryOf<decltype(driver.entry)>(0, base() + driverBase, 0x20000, 0, 0);
        append(file, driver);
        driver.entry = entryOf<decltype(driver.entry)>(0, base() + 0x3000000, 0x8000, 0, 0);
        append(file, driver);
        lists.validOffset = static_cast<std::uint32_t>(file.size());
        append(file, Le32{triageValid});
        std::memcpy(file.data() + listsAt, &lists, sizeof lists);
        return file;
    }

    [[nodiscard]] std::span<const std::byte> page(std::uint64_t number) const {
        return std::span(physical_).subspan(number * pageSize);
    }
    static void append(std::vector<std::byte>& out, std::span<const std::byte> from,
                       std::uint64_t count) {
        const auto bytes = from.first(count * pageSize);
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    template <class T>
    static void append(std::vector<std::byte>& out, const T& what) {
        const auto bytes = std::as_bytes(std::span(&what, 1));
        out.insert(out.end(), bytes.begin(), bytes.end());
    }

    Paging paging_;
    std::uint64_t nextTable_ = 2;
    std::vector<std::byte> physical_;
};

}  // namespace icecore::winkernel
