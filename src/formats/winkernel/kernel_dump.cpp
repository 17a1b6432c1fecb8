#include "formats/winkernel/kernel_dump.h"

#include <fmt/format.h>

#include <algorithm>

#include "arch/windows_context.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/winkernel/layout.h"
#include "formats/winkernel/page_tables_x64.h"
#include "memory/segment_space.h"

namespace icecore {

namespace winkernel {

namespace {

constexpr std::uint16_t machineX64 = 0x8664, machineArm64 = 0xaa64;
constexpr std::uint32_t mostDrivers = 4096, mostBlocks = 65536, longestName = 1024;

std::string_view kindText(std::uint32_t kind) {
    switch (kind) {
    case kindFull: return "full";
    case kindTriage: return "small (triage)";
    case kindBitmapFull: return "full (bitmap)";
    case kindBitmapKernel: return "kernel (bitmap)";
    case kindLive8:
    case kindLive9:
    case kindLiveA: return "live";
    default: return "unknown";
    }
}

class KernelReader {
public:
    explicit KernelReader(std::shared_ptr<const Source> source)
        : source_(std::move(source)), builder_(source_) {}

    Result<Snapshot> run() {
        ASSIGN_OR_RETURN(const SharedBytes bytes, source_->load(0, headerSize));
        header_ = Cursor(ByteView(bytes.span(), source_->name())).structure<Header64>();
        if (header_.signature != signaturePage || header_.valid != valid64)
            return fail(Errc::malformed, "not a 64-bit Windows kernel dump", source_->where(0));
        snapshot_.process.emplace();
        snapshot_.machine.emplace();
        describe();
        TRY(readMemory());
        readCrash();
        if (header_.type == kindTriage)
            readTriageDrivers();
        else
            readLoadedModules();
        std::ranges::stable_sort(process().modules.items, {},
                                 [](const Module& module) { return module.range; });
        return std::move(snapshot_);
    }

private:
    Process& process() { return *snapshot_.process; }
    void loss(std::string text, std::uint64_t at) {
        snapshot_.issues.loss(std::move(text), source_->where(at));
    }
    template <class T>
    std::optional<T> at(std::uint64_t offset) const {
        const auto bytes = source_->load(offset, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }

    void describe();
    Result<void> readMemory();
    Result<void> readRuns();
    Result<void> readBitmap();
    Result<void> readTriage();
    void readCrash();
    void readTriageDrivers();
    void readLoadedModules();
    void addModule(const LoadedModule& raw, std::string path);
    [[nodiscard]] std::string text(std::uint64_t offset) const;
    [[nodiscard]] std::string kernelText(const UnicodeString& string) const;

    std::shared_ptr<const Source> source_;
    SegmentSpaceBuilder builder_;
    Header64 header_{};
    TriageHeader triage_{};
    Snapshot snapshot_;
};

void KernelReader::describe() {
    SystemInfo& system = process().system;
    system.os = Os::windows;
    system.arch = header_.machine == machineX64     ? Arch::x86_64
                  : header_.machine == machineArm64 ? Arch::arm64
                                                    : Arch::unknown;
    if (system.arch == Arch::unknown)
        loss(fmt::format("machine {:#x} is not supported", header_.machine + 0U), 0x30);
    // The version field says 15 (free) or 12 (checked build); the number that tells is the build.
    system.build = header_.build;
    system.major = system.build >= 10240 ? 10 : 6;
    system.version =
        fmt::format("build {}{}", system.build, header_.majorVersion == 12U ? " (checked)" : "");
    system.cpuCount = header_.processors;
    snapshot_.machine->system = system;
    process().name = "Windows kernel";

    Provenance& provenance = snapshot_.provenance;
    provenance.path = source_->name();
    provenance.format = "windows-kernel";
    provenance.bytes = source_->size();
    provenance.type = kindText(header_.type);
    // FILETIME: 100 ns since 1601.
    constexpr std::uint64_t epoch = 116'444'736'000'000'000;
    if (const std::uint64_t time = header_.systemTime; time > epoch && time - epoch < 1ULL << 62U)
        provenance.time =
            TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>(time - epoch) * 100));
    const std::string_view comment(header_.comment, sizeof header_.comment);
    // Without a comment the field is the pattern of all unused ones: "PAGEPAGE…".
    if (!comment.starts_with("PAGE") && comment.front() != '\0')
        snapshot_.attachments.push_back(
            {"comment", SharedBytes::own(std::string(comment.substr(0, comment.find('\0'))))});
}

Result<void> KernelReader::readMemory() {
    switch (header_.type) {
    case kindFull: TRY(readRuns()); break;
    case kindTriage: TRY(readTriage()); return {};
    case kindBitmapFull:
    case kindBitmapKernel:
    case kindLive8:
    case kindLive9:
    case kindLiveA: TRY(readBitmap()); break;
    default:
        return fail(Errc::unsupported,
                    fmt::format("kernel dumps of type {:#x} are not supported", header_.type + 0U),
                    source_->where(0xf98));
    }
    snapshot_.machine->physical = builder_.build();
    process().memory = process().system.arch == Arch::x86_64
                           ? translateX64(snapshot_.machine->physical, header_.directoryTable)
                           : emptySpace();
    if (process().system.arch == Arch::arm64)
        loss("virtual memory of ARM64 kernel dumps is not translated yet", 0x10);
    return {};
}

/// Type 1: the pages of all runs one behind the other.
Result<void> KernelReader::readRuns() {
    std::uint32_t count = header_.runCount;
    if (count > mostRuns) {
        loss(fmt::format("{} runs of memory promised, room for {}", count, mostRuns), 0x88);
        count = mostRuns;
    }
    std::uint64_t offset = headerSize;
    for (std::uint32_t i = 0; i < count; ++i) {
        const PhysicalRun& run = header_.runs[i];
        constexpr std::uint64_t mostPages = 1ULL << 40U;
        if (run.pageCount > mostPages || run.basePage > mostPages) {
            loss(fmt::format("run {} of memory is beyond any machine", i), 0x98);
            break;
        }
        const std::uint64_t size = run.pageCount * pageSize;
        builder_.addStored(Range::ofSize(run.basePage * pageSize, size), offset);
        offset += size;
    }
    return {};
}

/// Types 5, 6 and the live ones: a bit tells whether a page is there; those that are follow.
Result<void> KernelReader::readBitmap() {
    const auto raw = at<BitmapHeader>(headerSize);
    const bool good = raw && (raw->signature == bitmapSummary || raw->signature == bitmapFull) &&
                      raw->valid == bitmapValid;
    if (!good) {
        return fail(Errc::malformed, "the bitmap of pages has no signature",
                    source_->where(headerSize));
    }
    const std::uint64_t begin = headerSize + sizeof(BitmapHeader);
    const std::uint64_t room = source_->size() > begin ? source_->size() - begin : 0;
    std::uint64_t pages = raw->pages;
    if (pages / 8 > room) {
        loss(fmt::format("the bitmap of {} pages is cut", pages), begin);
        pages = room * 8;
    }
    ASSIGN_OR_RETURN(const SharedBytes bits, source_->load(begin, pages / 8));
    std::uint64_t offset = raw->firstPage;
    std::uint64_t runBegin = 0;
    std::uint64_t run = 0;
    const auto flush = [&] {
        if (run == 0) return;
        builder_.addStored(Range::ofSize(runBegin * pageSize, run * pageSize), offset);
        offset += run * pageSize;
        run = 0;
    };
    for (std::uint64_t page = 0; page < bits.size() * 8; ++page) {
        const auto byte = std::to_integer<unsigned>(bits.span()[page / 8]);
        if ((byte >> (page % 8) & 1U) == 0) {
            flush();
            continue;
        }
        if (run++ == 0) runBegin = page;
    }
    flush();
    return {};
}

/// Type 4: some virtual memory, the stack of the thread that stopped, and lists.
Result<void> KernelReader::readTriage() {
    const auto raw = at<TriageHeader>(headerSize);
    if (!raw) return fail(Errc::truncated, "the small dump has no lists", source_->where(0x2000));
    triage_ = *raw;
    if (triage_.callStackSize != 0)
        builder_.addStored(Range::ofSize(triage_.topOfStack, triage_.callStackSize),
                           triage_.callStackOffset);
    if (triage_.dataPageSize != 0)
        builder_.addStored(Range::ofSize(triage_.dataPageAddress, triage_.dataPageSize),
                           triage_.dataPageOffset);
    for (std::uint32_t i = 0; i < std::min(triage_.dataBlocksCount + 0U, mostBlocks); ++i) {
        const std::uint64_t place =
            triage_.dataBlocksOffset + std::uint64_t{i} * sizeof(TriageBlock);
        const auto block = at<TriageBlock>(place);
        if (!block) {
            loss(fmt::format("{} blocks of memory promised, {} are in the file",
                             triage_.dataBlocksCount + 0U, i),
                 place);
            break;
        }
        if (block->size != 0)
            builder_.addStored(Range::ofSize(block->address, block->size), block->offset);
    }
    process().memory = builder_.build();
    return {};
}

void KernelReader::readCrash() {
    Process& kernel = process();
    Thread thread;
    // Which processor it was only the KPRCB tells; the dump has one context.
    thread.id = 0;
    auto context = readWindowsContext(
        ByteView(std::span(header_.context), source_->name(), offsetof(Header64, context)),
        kernel.system.arch);
    if (context)
        thread.context = *std::move(context);
    else
        snapshot_.issues.loss(context.error());
    Exception exception;
    exception.code = header_.bugCheck;
    for (const Le64& parameter : header_.parameters)
        exception.parameters.push_back(parameter);
    if (thread.context) {
        exception.address = thread.context->registers.pc();
        const std::uint64_t sp = thread.context->registers.sp();
        const Range stack = Range::ofSize(triage_.topOfStack, triage_.callStackSize);
        if (stack.contains(sp)) thread.stack = Range::between(sp, stack.end());
        if (header_.type != kindTriage)
            snapshot_.machine->cpus.items.push_back({0, *thread.context, header_.directoryTable});
    }
    snapshot_.machine->cpus.coverage = Coverage::partial;
    kernel.threads.items.push_back(std::move(thread));
    kernel.threads.coverage = Coverage::partial;
    kernel.exception = std::move(exception);
}

/// DUMP_STRING: a length, then text that ends with a NUL as well.
std::string KernelReader::text(std::uint64_t offset) const {
    std::u16string wide;
    for (std::uint32_t i = 0; i < longestName; ++i) {
        const auto unit = at<Le16>(offset + 4 + i * std::uint64_t{2});
        if (!unit || *unit == 0) break;
        wide += static_cast<char16_t>(*unit + 0);
    }
    return utf16ToUtf8(wide);
}

std::string KernelReader::kernelText(const UnicodeString& string) const {
    std::vector<std::byte> raw(std::min<std::size_t>(string.length, 2 * longestName) & ~1U);
    if (snapshot_.process->memory->read(string.buffer, raw).bytes != raw.size()) return {};
    std::u16string wide(raw.size() / 2, u'\0');
    for (std::size_t i = 0; i < wide.size(); ++i)
        wide[i] = static_cast<char16_t>(loadInteger<std::uint16_t>(raw.data() + 2 * i));
    return utf16ToUtf8(wide);
}

void KernelReader::addModule(const LoadedModule& raw, std::string path) {
    Module module;
    module.range = Range::ofSize(raw.base, raw.imageSize);
    module.imageSize = raw.imageSize;
    module.checksum = raw.checksum;
    module.timestamp = raw.timestamp;
    module.path = std::move(path);
    process().modules.items.push_back(std::move(module));
}

void KernelReader::readTriageDrivers() {
    process().modules.coverage = Coverage::complete;
    for (std::uint32_t i = 0; i < std::min(triage_.driverCount + 0U, mostDrivers); ++i) {
        const std::uint64_t place =
            triage_.driverListOffset + std::uint64_t{i} * sizeof(TriageDriver);
        const auto raw = at<TriageDriver>(place);
        if (!raw) {
            loss(
                fmt::format("{} drivers promised, {} are in the file", triage_.driverCount + 0U, i),
                place);
            process().modules.coverage = Coverage::partial;
            return;
        }
        addModule(raw->entry, text(raw->nameOffset));
    }
}

/// PsLoadedModuleList: a ring of entries through the kernel's memory.
void KernelReader::readLoadedModules() {
    const AddressSpace& memory = *process().memory;
    const std::uint64_t head = header_.loadedModules;
    auto next = memory.readInteger<std::uint64_t>(head);
    process().modules.coverage = Coverage::complete;
    for (std::uint32_t i = 0; next && *next != head && i < mostDrivers; ++i) {
        std::array<std::byte, sizeof(LoadedModule)> bytes;
        if (memory.read(*next, bytes).bytes != bytes.size()) {
            next.reset();
            break;
        }
        const auto raw = Cursor(ByteView(bytes)).structure<LoadedModule>();
        std::string path = kernelText(raw.fullName);
        addModule(raw, path.empty() ? kernelText(raw.baseName) : std::move(path));
        next = raw.next;
    }
    if (!next || *next != head) {
        process().modules.coverage = Coverage::partial;
        snapshot_.issues.loss("the list of loaded drivers could not be followed to its end",
                              head == 0 ? "its head is 0" : hex(head));
    }
}

bool probe(const Source& source) {
    const auto start = source.load(0, 8);
    return start && loadInteger<std::uint32_t>(start->span().data()) == signaturePage &&
           loadInteger<std::uint32_t>(start->span().data() + 4) == valid64;
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    return KernelReader(std::move(source)).run();
}

}  // namespace

}  // namespace winkernel

Format windowsKernelDumpFormat() {
    Format format{};
    format.name = "windows-kernel";
    format.description = "Windows kernel dump";
    format.probe = winkernel::probe;
    format.open = winkernel::open;
    return format;
}

}  // namespace icecore
