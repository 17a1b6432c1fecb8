// Kernel dumps of 64-bit Windows out of a machine's memory: full (1), whose header has the runs of
// pages, or in the bitmap form (5), which holds any number of them.
#include "formats/winkernel/writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ordered_work.h"
#include "base/text.h"
#include "formats/image/image.h"
#include "formats/minidump/filetime.h"
#include "formats/winkernel/layout.h"

namespace icecore::winkernel {

namespace {

constexpr std::uint64_t mostInPiece = std::uint64_t{1} << 20;
/// Of physical addresses: a bit for each page below it is 512 MiB.
constexpr std::uint64_t mostInBitmap = std::uint64_t{1} << 44;
constexpr std::size_t bitmapBlock = std::size_t{64} << 10;

/// The pages that ranges touch, joined.
std::vector<Range> wholePages(const std::vector<Range>& ranges) {
    RangeSet pages;
    for (const Range& range : ranges)
        pages.add(
            Range::between(alignDown(range.begin(), pageSize), alignUp(range.end(), pageSize)));
    return {pages.ranges().begin(), pages.ranges().end()};
}

class Writer {
public:
    Writer(const Snapshot& snapshot, const AddressSpace& memory, bool bitmap, int threads,
           Sink& sink, Progress& progress)
        : snapshot_(snapshot),
          memory_(memory),
          ranges_(image::storedRanges(memory)),
          runs_(wholePages(ranges_)),
          bitmap_(bitmap || runs_.size() > mostRuns),
          threads_(threads),
          sink_(sink),
          progress_(progress) {}

    Result<WriteReport> run() {
        if (image::endOf(runs_) > mostInBitmap)
            return fail(Errc::unsupported, "memory beyond 16 TiB does not go into a kernel dump");
        TRY(writeHeader());
        if (bitmap_) TRY(writeBitmap());
        TRY(writeMemory());
        TRY(correct());
        report_.bytes = sink_.position();
        image::tellUnread(
            report_.unread,
            leavesOut() ? "their pages are not in the dump" : "the dump has zeros there",
            report_.losses);
        return std::move(report_);
    }

private:
    /// A bit of the bitmap says that a page is missing; it stands before the pages.
    [[nodiscard]] bool leavesOut() const { return bitmap_ && sink_.canPatch(); }
    [[nodiscard]] std::uint64_t pagesInBitmap() const {
        return alignUp(image::endOf(runs_) / pageSize, 64);
    }
    [[nodiscard]] std::uint64_t firstPage() const {
        return bitmap_ ? alignUp(headerSize + sizeof(BitmapHeader) + pagesInBitmap() / 8, pageSize)
                       : headerSize;
    }

    /// As it was in the dump that the memory comes from, else what is known.
    [[nodiscard]] std::vector<std::byte> header() {
        std::vector<std::byte> bytes(headerSize);
        const SharedBytes* const earlier = snapshot_.attachment(headerAttachment);
        const bool had = earlier != nullptr && earlier->size() == headerSize;
        image::tellLosses(snapshot_, {.cpus = had, .attachments = had}, report_.losses);
        Header64 raw{};
        if (had) {
            std::ranges::copy(earlier->span(), bytes.begin());
            std::memcpy(&raw, bytes.data(), sizeof raw);
        } else {
            for (std::size_t i = 0; i < bytes.size(); ++i)
                bytes[i] = static_cast<std::byte>(filler[i % filler.size()]);
            describe(raw);
        }
        raw.type = bitmap_ ? kindBitmapFull : kindFull;
        const bool listed = runs_.size() <= mostRuns;
        raw.runCount = listed ? static_cast<std::uint32_t>(runs_.size()) : 0;
        raw.pageCount = image::bytesIn(runs_) / pageSize;
        for (std::size_t i = 0; i < mostRuns; ++i) {
            const Range run = listed && i < runs_.size() ? runs_[i] : Range();
            raw.runs[i].basePage = run.begin() / pageSize;
            raw.runs[i].pageCount = run.size() / pageSize;
        }
        raw.requiredSpace = firstPage() + image::bytesIn(runs_);
        std::memcpy(bytes.data(), &raw, sizeof raw);
        return bytes;
    }
    void describe(Header64& raw) {
        constexpr std::uint32_t freeBuild = 15;
        constexpr std::uint32_t machineX64 = 0x8664, machineArm64 = 0xaa64;
        const Machine& machine = *snapshot_.machine;
        raw.signature = signaturePage;
        raw.valid = valid64;
        raw.majorVersion = freeBuild;
        raw.build = machine.system.build;
        raw.machine = machine.system.arch == Arch::arm64 ? machineArm64 : machineX64;
        // One at least, as Microsoft's debugger calls a dump of none damaged.
        raw.processors = std::max({std::uint32_t{1}, machine.system.cpuCount,
                                   static_cast<std::uint32_t>(machine.cpus.items.size())});
        for (const Machine::Cpu& cpu : machine.cpus.items) {
            if (raw.directoryTable == 0) raw.directoryTable = cpu.translationRoot.value_or(0);
        }
        if (snapshot_.provenance.time)
            raw.systemTime = minidump::toFileTime(*snapshot_.provenance.time);
        report_.losses.loss(
            "where the kernel keeps its lists, and why it stopped, is not known: the dump's header "
            "has none of it, without which Microsoft's debugger shows nothing of a dump");
    }
    Result<void> writeHeader() { return sink_.write(header()); }

    Result<void> writeBitmap() {
        BitmapHeader raw{};
        raw.signature = bitmapFull;
        raw.valid = bitmapValid;
        raw.firstPage = firstPage();
        raw.present = image::bytesIn(runs_) / pageSize;
        raw.pages = pagesInBitmap();
        TRY(sink_.write(bytesOf(raw)));
        std::vector<std::byte> block;
        auto run = runs_.begin();
        for (std::uint64_t page = 0; page < pagesInBitmap(); page += 8) {
            std::byte bits{0};
            for (std::uint64_t bit = 0; bit < 8; ++bit) {
                const std::uint64_t address = (page + bit) * pageSize;
                while (run != runs_.end() && run->end() <= address)
                    ++run;
                if (run != runs_.end() && run->contains(address)) bits |= std::byte{1} << bit;
            }
            block.push_back(bits);
            if (block.size() < bitmapBlock) continue;
            TRY(sink_.write(block));
            block.clear();
        }
        TRY(sink_.write(block));
        return sink_.zeros(firstPage() - sink_.position());
    }

    Result<void> writeMemory() {
        progress_.begin("writing", image::bytesIn(ranges_));
        const image::Pieces pieces(ranges_, image::pieceSizeFor(ranges_, mostInPiece));
        const auto read = [&](std::uint64_t index, unsigned) -> Result<image::Piece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            return image::readPiece(memory_, pieces[index]);
        };
        run_ = runs_.begin();
        at_ = runs_.empty() ? 0 : run_->begin();
        TRY(inOrder<image::Piece>(pieces.count(), threads_, read,
                                  [&](const image::Piece& piece) { return use(piece); }));
        if (!runs_.empty()) TRY(fillTo(runs_.back().end()));
        return {};
    }

    Result<void> use(const image::Piece& piece) {
        TRY(fillTo(piece.range.begin()));
        progress_.advance(piece.range.size());
        report_.unread.insert(report_.unread.end(), piece.unread.begin(), piece.unread.end());
        if (piece.zero) {
            report_.zeroBytes += piece.range.size();
            at_ = piece.range.end();
            return sink_.zeros(piece.range.size());
        }
        for (const Range& unread : piece.unread) {
            if (!leavesOut()) break;
            const Range pages = Range::between(alignUp(unread.begin(), pageSize),
                                               alignDown(unread.end(), pageSize));
            if (pages.empty()) continue;
            TRY(write(piece, pages.begin()));
            missing_.add(pages);
            at_ = pages.end();
        }
        return write(piece, piece.range.end());
    }
    Result<void> write(const image::Piece& piece, std::uint64_t end) {
        const auto bytes = std::span(piece.bytes)
                               .subspan(static_cast<std::size_t>(at_ - piece.range.begin()),
                                        static_cast<std::size_t>(end - at_));
        at_ = end;
        return sink_.write(bytes);
    }
    /// What of its pages no range has.
    Result<void> fillTo(std::uint64_t address) {
        while (run_->end() < address) {
            TRY(sink_.zeros(run_->end() - at_));
            at_ = (++run_)->begin();
        }
        TRY(sink_.zeros(address - at_));
        at_ = address;
        return {};
    }

    /// Clears the bits of pages that turned out not to be readable.
    Result<void> correct() {
        if (missing_.empty()) return {};
        RangeSet there;
        for (const Range& run : runs_)
            there.add(run);
        for (const Range& range : missing_.ranges())
            there.subtract(range);
        const std::uint64_t bitmapAt = headerSize + sizeof(BitmapHeader);
        for (const Range& range : missing_.ranges()) {
            const std::uint64_t end = range.end() / pageSize;
            for (std::uint64_t page = alignDown(range.begin() / pageSize, 8); page < end;
                 page += 8) {
                std::byte bits{0};
                for (std::uint64_t bit = 0; bit < 8; ++bit) {
                    if (there.contains((page + bit) * pageSize)) bits |= std::byte{1} << bit;
                }
                TRY(sink_.patch(bitmapAt + page / 8, std::span(&bits, 1)));
            }
        }
        const Le64 present(there.bytes() / pageSize);
        TRY(sink_.patch(headerSize + offsetof(BitmapHeader, present), bytesOf(present)));
        TRY(sink_.patch(offsetof(Header64, pageCount), bytesOf(present)));
        const Le64 space(sink_.position());
        TRY(sink_.patch(offsetof(Header64, requiredSpace), bytesOf(space)));
        // The runs would promise them.
        const Le32 none(0);
        return sink_.patch(offsetof(Header64, runCount), bytesOf(none));
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    const std::vector<Range> ranges_, runs_;  ///< what there is, and the pages that have it
    bool bitmap_;
    int threads_;
    Sink& sink_;
    Progress& progress_;
    std::vector<Range>::const_iterator run_;
    std::uint64_t at_ = 0;  ///< the address that is next
    RangeSet missing_;      ///< pages that are left out
    WriteReport report_;
};

Result<WriteReport> write(const Snapshot& snapshot, const ImageOptions& options, bool bitmap,
                          Sink& sink, Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(snapshot));
    return Writer(snapshot, *memory, bitmap, options.threads, sink, progress).run();
}

}  // namespace

Result<WriteReport> writeFull(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                              Progress& progress) {
    return write(snapshot, options, false, sink, progress);
}

Result<WriteReport> writeBitmap(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                                Progress& progress) {
    return write(snapshot, options, true, sink, progress);
}

}  // namespace icecore::winkernel
