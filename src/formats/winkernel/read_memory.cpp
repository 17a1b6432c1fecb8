// Physical memory of a kernel dump, in each of the ways in which it is stored, and the kernel's
// virtual memory out of it.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

/// Beyond any machine: 2^52 bytes.
constexpr std::uint64_t mostPages = 1ULL << 40U;

struct Bitmap {
    std::uint64_t at = 0, bits = 0, firstPage = 0;
};

/// The newer form (types 5 and 6), with counts of 64 bits, or the older (type 2).
std::optional<Bitmap> findBitmap(const KernelReading& reading) {
    const std::uint64_t at = reading.header.size;
    const auto newer = reading.at<BitmapHeader>(at);
    const bool good = newer &&
                      (newer->signature == bitmapSummary || newer->signature == bitmapFull) &&
                      newer->valid == bitmapValid;
    if (reading.header.type != kindSummary) {
        if (!good) return std::nullopt;
        return Bitmap{at + sizeof(BitmapHeader), newer->pages, newer->firstPage};
    }
    const auto older = [&](const auto& raw) -> std::optional<Bitmap> {
        if (!raw || raw->signature != bitmapSummary || raw->valid != bitmapValid)
            return std::nullopt;
        return Bitmap{at + sizeof(*raw), raw->bitmapBits, raw->headerSize};
    };
    return reading.header.is64 ? older(reading.at<SummaryHeader64>(at))
                               : older(reading.at<SummaryHeader32>(at));
}

/// `end`: where the last page of the dump ends.
void tellIfCut(KernelReading& reading, std::uint64_t end) {
    const std::uint64_t size = reading.source->size();
    if (end > size)
        reading.loss(
            fmt::format("the file ends {} before its last page does", humanBytes(end - size)),
            size);
}

}  // namespace

/// The pages of all runs one behind the other.
Result<void> readRuns(KernelReading& reading, SegmentSpaceBuilder& builder) {
    const DumpHeader& header = reading.header;
    if (header.runCount > header.runs.size()) {
        reading.loss(fmt::format("{} runs of memory promised, room for {}", header.runCount,
                                 header.runs.size()),
                     header.runsAt);
    }
    std::uint64_t offset = header.size;
    for (const DumpHeader::Run& run : header.runs) {
        if (run.pages > mostPages || run.firstPage > mostPages) {
            reading.loss("a run of memory is beyond any machine", header.runsAt);
            break;
        }
        const std::uint64_t size = run.pages * pageSize;
        builder.addSparse(Range::ofSize(run.firstPage * pageSize, size), offset);
        offset += size;
    }
    tellIfCut(reading, offset);
    return {};
}

/// A bit tells whether a page is there; those that are follow.
Result<void> readBitmap(KernelReading& reading, SegmentSpaceBuilder& builder) {
    const auto bitmap = findBitmap(reading);
    if (!bitmap) {
        return fail(Errc::malformed, "the bitmap of pages has no signature",
                    reading.source->where(reading.header.size));
    }
    const std::uint64_t fileSize = reading.source->size();
    const std::uint64_t room = fileSize > bitmap->at ? fileSize - bitmap->at : 0;
    std::uint64_t pages = bitmap->bits;
    if (pages / 8 > room) {
        reading.loss(fmt::format("the bitmap of {} pages is cut", pages), bitmap->at);
        pages = room * 8;
    }
    ASSIGN_OR_RETURN(const SharedBytes bits, reading.source->load(bitmap->at, pages / 8));
    std::uint64_t offset = bitmap->firstPage;
    std::uint64_t runBegin = 0;
    std::uint64_t run = 0;
    const auto flush = [&] {
        if (run == 0) return;
        builder.addStored(Range::ofSize(runBegin * pageSize, run * pageSize), offset);
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
    tellIfCut(reading, offset);
    return {};
}

/// A list of ranges, then their pages.
Result<void> readRanges(KernelReading& reading, SegmentSpaceBuilder& builder) {
    const std::uint64_t at = reading.header.size;
    const auto raw = reading.at<RangesHeader>(at);
    if (!raw || raw->signature != rangesSignature || raw->valid != bitmapValid) {
        return fail(Errc::malformed, "the list of memory ranges has no signature",
                    reading.source->where(at));
    }
    const std::uint64_t list = at + sizeof(RangesHeader);
    const std::uint64_t end = std::min<std::uint64_t>(raw->firstPage, reading.source->size());
    if (end < list) {
        return fail(Errc::malformed, "the pages begin before the list of their ranges ends",
                    reading.source->where(at));
    }
    std::uint64_t left = reading.header.type == kindComplete ? raw->pageCount + 0 : mostPages;
    std::uint64_t offset = raw->firstPage;
    for (std::uint64_t place = list; place + sizeof(PageRange) <= end && left > 0;
         place += sizeof(PageRange)) {
        const auto range = reading.at<PageRange>(place);
        if (!range || range->pageCount == 0) break;
        if (range->pageCount > mostPages || range->firstPage > mostPages ||
            range->pageCount > left) {
            reading.loss("a range of memory is beyond what the dump has", place);
            break;
        }
        const std::uint64_t size = range->pageCount * pageSize;
        builder.addStored(Range::ofSize(range->firstPage * pageSize, size), offset);
        offset += size;
        left -= range->pageCount;
    }
    tellIfCut(reading, offset);
    return {};
}

std::optional<PageTables> findTables(const KernelReading& reading) {
    const DumpHeader& header = reading.header;
    if (header.directoryTable == 0) return std::nullopt;  // nobody knew
    PageTables tables;
    tables.root = header.directoryTable;
    tables.windowsTransition = true;
    switch (reading.process.system.arch) {
    case Arch::x86: tables.paging = header.pae ? Paging::x86_pae : Paging::x86; return tables;
    // Windows has one table for both halves.
    case Arch::arm64: tables.paging = Paging::arm64; return tables;
    case Arch::x86_64: break;
    default: return std::nullopt;
    }
    // Nothing in the header says how many levels there are. Only under the right number does the
    // first entry of the list of drivers lead back to the list's head.
    for (const Paging paging : {Paging::x64, Paging::x64_57}) {
        tables.paging = paging;
        const auto space = translatedSpace(reading.machine.physical, tables);
        const auto first = space->readInteger<std::uint64_t>(header.loadedModules);
        const auto back = first ? space->readInteger<std::uint64_t>(*first + 8) : std::nullopt;
        if (back == header.loadedModules) return tables;
    }
    tables.paging = Paging::x64;
    return tables;
}

Result<void> readMemory(KernelReading& reading) {
    if (reading.header.type == kindTriage) return readTriage(reading);
    SegmentSpaceBuilder builder(reading.source);
    switch (reading.header.type) {
    case kindFull: TRY(readRuns(reading, builder)); break;
    case kindSummary:
    case kindBitmapFull:
    case kindBitmapKernel: TRY(readBitmap(reading, builder)); break;
    case kindKernel:
    case kindKernelAndUser:
    case kindComplete: TRY(readRanges(reading, builder)); break;
    default:
        return fail(
            Errc::unsupported,
            fmt::format("kernel dumps of type {:#x} are not supported", reading.header.type),
            reading.source->where(reading.header.typeAt));
    }
    reading.machine.physical = builder.build();
    reading.tables = findTables(reading);
    if (reading.tables)
        reading.process.memory = translatedSpace(reading.machine.physical, *reading.tables);
    return {};
}

}  // namespace icecore::winkernel
