#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/ordered_work.h"
#include "base/text.h"
#include "bytes/codec.h"
#include "bytes/flat_source.h"
#include "bytes/reserving_sink.h"
#include "bytes/zeros.h"
#include "formats/image/image.h"
#include "formats/kdump/kdump_parts.h"
#include "formats/kdump/layout.h"

namespace icecore::kdump {

namespace {

using namespace image;

constexpr std::uint64_t mostInPiece = std::uint64_t{1} << 20;
/// Descriptors gathered before they are put where they belong.
constexpr std::size_t descriptorsGathered = std::size_t{256} << 10;
/// 64 TiB: what Linux on x86-64 takes with four levels of page tables. The bitmaps have a bit for
/// each page below the highest address.
constexpr std::uint64_t highestEnd = std::uint64_t{1} << 46;
constexpr std::uint64_t bitmapPiece = 65536;

/// A place in the file of its own: written in order where the sink can go back, as records of a
/// flattened file where it cannot.
class Output {
public:
    explicit Output(Sink& sink) : sink_(sink), flat_(!sink.canPatch()) {}

    [[nodiscard]] bool goesBack() const { return !flat_; }

    Result<void> start() {
        if (!flat_) return {};
        std::vector<std::byte> header(flatHeaderSize);
        std::memcpy(header.data(), flatSignature.data(), flatSignature.size());
        storeInteger<std::uint64_t>(header.data() + flatNumbersAt, 1, std::endian::big);
        storeInteger<std::uint64_t>(header.data() + flatNumbersAt + 8, 1, std::endian::big);
        return sink_.write(header);
    }
    Result<void> put(std::uint64_t offset, std::span<const std::byte> bytes) {
        if (bytes.empty()) return {};
        if (flat_) {
            TRY(record(offset, bytes.size()));
            return sink_.write(bytes);
        }
        if (offset >= sink_.position()) {
            TRY(leave(offset - sink_.position()));
            return sink_.write(bytes);
        }
        return sink_.patch(offset, bytes);
    }
    Result<void> end() {
        if (!flat_) return {};
        return record(UINT64_MAX, UINT64_MAX);
    }

private:
    /// Room between what is written in order: tables to be filled in, or nothing at all.
    Result<void> leave(std::uint64_t count) {
        if (count == 0) return {};
        auto* const reserving = dynamic_cast<ReservingSink*>(&sink_);
        return reserving != nullptr ? reserving->reserve(count) : sink_.zeros(count);
    }
    Result<void> record(std::uint64_t offset, std::uint64_t size) {
        std::vector<std::byte> head;
        appendInteger(head, offset, std::endian::big);
        appendInteger(head, size, std::endian::big);
        return sink_.write(head);
    }
    Sink& sink_;
    bool flat_;
};

/// A piece of memory, page by page.
struct PackedPiece {
    struct Page {
        std::uint32_t size = 0;  ///< of its bytes; 0 for a zero page
        bool packed = false;
        bool unread = false;
    };
    Range range;
    std::vector<std::byte> bytes;
    std::vector<Page> pages;
    std::vector<Range> unread;
};

/// Numbers of the pages that have any byte in the ranges.
std::vector<Range> pagesOf(const std::vector<Range>& ranges) {
    std::vector<Range> pages;
    for (const Range& range : ranges) {
        std::uint64_t first = range.begin() / pageSize;
        const std::uint64_t end = (range.end() - 1) / pageSize + 1;
        if (!pages.empty() && first <= pages.back().end())
            pages.back() = Range::between(pages.back().begin(), end);
        else
            pages.push_back(Range::between(first, end));
    }
    return pages;
}

class Writer {
public:
    Writer(const Snapshot& snapshot, const AddressSpace& memory, const ImageOptions& options,
           Sink& sink, Progress& progress)
        : snapshot_(snapshot),
          memory_(memory),
          threads_(options.threads),
          codec_(options.codec.value_or(Codec::zlib)),
          sink_(sink),
          out_(sink),
          progress_(progress) {}

    Result<WriteReport> run() {
        const std::vector<Range> stored = storedRanges(memory_);
        if (endOf(stored) > highestEnd)
            return fail(Errc::unsupported, "memory at addresses beyond 64 TiB", hex(endOf(stored)));
        pages_ = pagesOf(stored);
        notes_ = notesToWrite(snapshot_);
        plan();
        tellLosses(snapshot_, {.cpus = true, .kernelInfo = true}, report_.losses);
        tellPartialPages(stored);
        TRY(out_.start());
        TRY(writeHeaders());
        TRY(writeBitmap(bitmapAt_, pages_, 0, bitmapBytes_));
        TRY(writeMemory(stored));
        TRY(flushDescriptors());
        TRY(writeDumpedBitmap(endPage_));
        if (out_.goesBack()) TRY(writeStatus());
        TRY(out_.end());
        report_.bytes = sink_.position();
        tellUnread(report_.unread, "left out of the image", report_.losses);
        return std::move(report_);
    }

private:
    void plan() {
        endPage_ = pages_.empty() ? 0 : pages_.back().end();
        subHeaderBlocks_ = (sizeof(SubHeader) + notes_.size() + pageSize - 1) / pageSize;
        bitmapBytes_ = alignUp((endPage_ + 7) / 8, pageSize);
        bitmapAt_ = (1 + subHeaderBlocks_) * pageSize;
        descriptorsAt_ = bitmapAt_ + 2 * bitmapBytes_;
        dataAt_ = descriptorsAt_ + bytesIn(pages_) * sizeof(PageDescriptor);
    }

    void tellPartialPages(const std::vector<Range>& stored) {
        const std::uint64_t filled = bytesIn(pages_) * pageSize - bytesIn(stored);
        if (filled > 0)
            report_.losses.loss(std::to_string(filled) +
                                " bytes beside memory that is not made of whole pages: filled "
                                "up with zeros");
    }

    static void fillText(std::span<char> field, std::string_view text) {
        std::ranges::copy(text.substr(0, field.size() - 1), field.begin());
    }

    /// A number of VMCOREINFO, which may be negative.
    [[nodiscard]] std::int64_t kernelNumber(const std::string& key) const {
        const auto found = snapshot_.machine->hints.find(key);
        std::int64_t value = 0;
        if (found != snapshot_.machine->hints.end())
            std::from_chars(found->second.data(), found->second.data() + found->second.size(),
                            value);
        return value;
    }

    Result<void> writeHeaders() {
        const SystemInfo& system = snapshot_.machine->system;
        Header header{};
        std::ranges::copy(signature, header.signature);
        header.version = writtenVersion;
        fillText(header.systemName, "Linux");
        fillText(header.nodeName, system.hostName);
        fillText(header.release, system.version);
        fillText(header.machine, system.arch == Arch::arm64 ? "aarch64" : "x86_64");
        if (snapshot_.provenance.time)
            header.seconds =
                static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                               snapshot_.provenance.time->time_since_epoch())
                                               .count());
        // Until it is complete, where that can be said afterwards.
        header.status = flagOf(codec_) | (out_.goesBack() ? incomplete : 0);
        header.blockSize = static_cast<std::uint32_t>(pageSize);
        header.subHeaderBlocks = static_cast<std::uint32_t>(subHeaderBlocks_);
        header.bitmapBlocks = static_cast<std::uint32_t>(2 * bitmapBytes_ / pageSize);
        header.maxPage = static_cast<std::uint32_t>(std::min<std::uint64_t>(endPage_, UINT32_MAX));
        header.ramBlocks =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(bytesIn(pages_), UINT32_MAX));
        header.cpuCount =
            static_cast<std::uint32_t>(std::max<std::size_t>(1, snapshot_.machine->cpus.size()));
        TRY(out_.put(0, bytesOf(header)));
        SubHeader sub{};
        sub.physicalBase = static_cast<std::uint64_t>(kernelNumber("NUMBER(phys_base)"));
        sub.endPage = std::min<std::uint64_t>(endPage_, UINT32_MAX);
        sub.endPage64 = endPage_;
        sub.maxPage64 = endPage_;
        if (!notes_.empty()) {
            sub.notesOffset = pageSize + sizeof(SubHeader);
            sub.notesSize = notes_.size();
            if (const SharedBytes* info = snapshot_.attachment(kernelInfoAttachment)) {
                const auto found = std::ranges::search(notes_, info->span());
                if (!found.empty()) {
                    sub.kernelInfoOffset = sub.notesOffset + static_cast<std::uint64_t>(
                                                                 found.begin() - notes_.begin());
                    sub.kernelInfoSize = info->size();
                }
            }
        }
        TRY(out_.put(pageSize, bytesOf(sub)));
        return out_.put(pageSize + sizeof(SubHeader), notes_);
    }

    Result<void> writeStatus() {
        std::vector<std::byte> status;
        appendInteger(status, flagOf(codec_));
        return out_.put(offsetof(Header, status), status);
    }

    /// Bits of the pages in `pages`, from one byte of the bitmap to another, piece by piece; pieces
    /// without any are left to be a hole.
    Result<void> writeBitmap(std::uint64_t at, const std::vector<Range>& pages, std::uint64_t from,
                             std::uint64_t to) {
        std::size_t next = 0;
        for (std::uint64_t byte = from; byte < to; byte += bitmapPiece) {
            const std::uint64_t size = std::min(bitmapPiece, to - byte);
            const Range piece = Range::ofSize(byte * 8, size * 8);
            while (next < pages.size() && pages[next].end() <= piece.begin())
                ++next;
            std::vector<std::byte> bits;
            for (std::size_t i = next; i < pages.size() && pages[i].begin() < piece.end(); ++i) {
                bits.resize(static_cast<std::size_t>(size));
                const Range part = pages[i].intersect(piece);
                for (std::uint64_t page = part.begin(); page < part.end(); ++page)
                    bits[static_cast<std::size_t>((page - piece.begin()) / 8)] |= std::byte{1}
                                                                                  << (page % 8);
            }
            TRY(out_.put(at + byte, bits));
        }
        return {};
    }

    /// The second bitmap, on from where it was written last, up to the page `end`.
    Result<void> writeDumpedBitmap(std::uint64_t end) {
        const std::uint64_t from = dumpedPages_ / 8;
        const Range part = Range::between(from * 8, std::max(from * 8, end));
        RangeSet dumped;
        for (const Range& range : pages_) {
            if (const Range common = range.intersect(part); !common.empty()) dumped.add(common);
        }
        for (auto unread = report_.unread.rbegin();
             unread != report_.unread.rend() && unread->end() > part.begin() * pageSize; ++unread)
            dumped.subtract(pagesOf({*unread}).front());
        dumpedPages_ = end;
        return writeBitmap(bitmapAt_ + bitmapBytes_, dumped.ranges(), from, (end + 7) / 8);
    }

    PackedPiece pack(Range range, BlockPacker& packer) const {
        PackedPiece packed;
        packed.range = range;
        Piece piece = readPiece(memory_, range);
        packed.unread = std::move(piece.unread);
        const std::uint64_t first = range.begin() / pageSize;
        const std::uint64_t end = (range.end() - 1) / pageSize + 1;
        packed.pages.resize(static_cast<std::size_t>(end - first));
        if (piece.zero) return packed;
        std::vector<std::byte> page(pageSize);
        std::vector<std::byte> room(packer.bound(pageSize));
        std::size_t unread = 0;
        for (std::uint64_t number = first; number < end; ++number) {
            const Range part = Range::ofSize(number * pageSize, pageSize).intersect(range);
            PackedPiece::Page& about = packed.pages[static_cast<std::size_t>(number - first)];
            while (unread < packed.unread.size() && packed.unread[unread].end() <= part.begin())
                ++unread;
            about.unread = unread < packed.unread.size() && packed.unread[unread].overlaps(part);
            if (about.unread) continue;
            std::ranges::fill(page, std::byte{0});
            std::memcpy(page.data() + part.begin() % pageSize,
                        piece.bytes.data() + (part.begin() - range.begin()),
                        static_cast<std::size_t>(part.size()));
            if (allZero(page)) continue;
            const std::size_t size = packer.pack(page, room).value_or(pageSize);
            about.packed = codec_ != Codec::none && size < pageSize;
            const auto chosen = about.packed ? std::span(room).first(size) : std::span(page);
            about.size = static_cast<std::uint32_t>(chosen.size());
            packed.bytes.insert(packed.bytes.end(), chosen.begin(), chosen.end());
        }
        return packed;
    }

    Result<void> writeMemory(const std::vector<Range>& stored) {
        progress_.begin("writing", bytesIn(stored));
        TRY(writeZeroPage());
        // Whole pages: ranges that share one were joined above.
        std::vector<Range> ranges;
        ranges.reserve(pages_.size());
        for (const Range& range : pages_)
            ranges.push_back(Range::between(range.begin() * pageSize, range.end() * pageSize));
        clipTo(stored, ranges);
        const std::uint64_t size = pieceSizeFor(ranges, 2 * mostInPiece) / 2;
        const Pieces pieces(std::move(ranges), size);
        std::vector<std::unique_ptr<BlockPacker>> packers(workerCount(threads_));
        const auto work = [&](std::uint64_t index, unsigned worker) -> Result<PackedPiece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            if (!packers[worker]) packers[worker] = std::make_unique<BlockPacker>(codec_);
            return pack(pieces[index], *packers[worker]);
        };
        return inOrder<PackedPiece>(pieces.count(), threads_, work,
                                    [&](const PackedPiece& piece) { return use(piece); });
    }

    /// Cuts the first and last page of each run to what is stored of it, so that what was never
    /// there is not read.
    static void clipTo(const std::vector<Range>& stored, std::vector<Range>& ranges) {
        std::size_t next = 0;
        for (Range& range : ranges) {
            while (next < stored.size() && stored[next].end() <= range.begin())
                ++next;
            std::size_t last = next;
            while (last + 1 < stored.size() && stored[last + 1].begin() < range.end())
                ++last;
            range = range.intersect(Range::between(stored[next].begin(), stored[last].end()));
        }
    }

    /// Where one can go back, the tables first: cut off anywhere, the file tells what it has.
    Result<void> use(const PackedPiece& piece) {
        const std::uint64_t begin = next_;
        describe(piece);
        report_.unread.insert(report_.unread.end(), piece.unread.begin(), piece.unread.end());
        progress_.advance(piece.range.size());
        if (out_.goesBack()) {
            TRY(flushDescriptors());
            TRY(writeDumpedBitmap((piece.range.end() - 1) / pageSize + 1));
            return out_.put(begin, piece.bytes);
        }
        TRY(out_.put(begin, piece.bytes));
        return descriptors_.size() >= descriptorsGathered ? flushDescriptors() : Result<void>();
    }

    void describe(const PackedPiece& piece) {
        for (const PackedPiece::Page& page : piece.pages) {
            if (page.unread) continue;
            PageDescriptor descriptor{};
            if (page.size == 0) {
                report_.zeroBytes += pageSize;
                descriptor = zeroPage_;
            } else {
                descriptor.offset = next_;
                descriptor.size = page.size;
                descriptor.flags = page.packed ? flagOf(codec_) : 0;
                next_ += page.size;
            }
            const auto bytes = bytesOf(descriptor);
            descriptors_.insert(descriptors_.end(), bytes.begin(), bytes.end());
        }
    }

    /// All zero pages share the bytes of one, which stands before all others.
    Result<void> writeZeroPage() {
        BlockPacker packer(codec_);
        const std::vector<std::byte> zeros(pageSize);
        std::vector<std::byte> packed(packer.bound(pageSize));
        ASSIGN_OR_RETURN(const std::size_t size, packer.pack(zeros, packed));
        packed.resize(size);
        zeroPage_.offset = dataAt_;
        zeroPage_.size = static_cast<std::uint32_t>(size);
        zeroPage_.flags = flagOf(codec_);
        next_ = dataAt_ + size;
        return out_.put(dataAt_, packed);
    }

    Result<void> flushDescriptors() {
        TRY(out_.put(descriptorsAt_ + flushed_, descriptors_));
        flushed_ += descriptors_.size();
        descriptors_.clear();
        return {};
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    int threads_;
    Codec codec_;
    Sink& sink_;
    Output out_;
    Progress& progress_;
    std::vector<Range> pages_;  ///< numbers of pages
    std::vector<std::byte> notes_;
    std::uint64_t endPage_ = 0, subHeaderBlocks_ = 0, bitmapBytes_ = 0, bitmapAt_ = 0,
                  descriptorsAt_ = 0, dataAt_ = 0, next_ = 0, flushed_ = 0, dumpedPages_ = 0;
    PageDescriptor zeroPage_{};
    std::vector<std::byte> descriptors_;
    WriteReport report_;
};

}  // namespace

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, physicalMemory(snapshot));
    return Writer(snapshot, *memory, options, sink, progress).run();
}

}  // namespace icecore::kdump
