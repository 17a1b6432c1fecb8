#include "formats/lime/lime.h"

#include <array>

#include "base/ordered_work.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/raw_bytes.h"
#include "formats/copy_memory.h"
#include "formats/image/image.h"
#include "formats/lime/avml_source.h"
#include "formats/lime/layout.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace image;
using namespace lime;

/// What AVML compresses in one piece is at most 16 MiB; smaller pieces are found sooner and take
/// less memory on many CPUs.
constexpr std::uint64_t mostInBlock = std::uint64_t{4} << 20;

Result<Header> readHeader(const Source& source, std::uint64_t at) {
    std::array<std::byte, sizeof(Header)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, source.read(at, raw));
    if (got < raw.size())
        return fail(Errc::truncated, "ends in the middle of a header", source.where(at));
    return Cursor(ByteView(raw)).structure<Header>();
}

bool isLime(const Header& header) {
    return header.magic == limeMagic && header.version == limeVersion;
}
bool isAvml(const Header& header) {
    return header.magic == avmlMagic && header.version == avmlVersion;
}

bool probeLime(const Source& source) {
    const auto header = readHeader(source, 0);
    return header && isLime(*header);
}
bool probeAvml(const Source& source) {
    const auto header = readHeader(source, 0);
    return header && isAvml(*header);
}

/// Reads the chain of headers; each says how far the next one is.
class Chain {
public:
    Chain(std::shared_ptr<const Source> source, Snapshot& snapshot)
        : source_(std::move(source)), snapshot_(snapshot) {}

    /// An error where not even the first range can be used.
    Result<std::shared_ptr<const AddressSpace>> read() {
        std::uint64_t at = 0;
        while (at < source_->size()) {
            const std::uint64_t here = at;
            if (const auto taken = take(at); !taken) {
                if (here == 0) return std::unexpected(taken.error());
                snapshot_.issues.loss(taken.error());
                break;
            }
        }
        return build();
    }
    /// Of compressed ranges: where what is whole of them ends in the file. After `read`.
    [[nodiscard]] std::uint64_t wholeEnd() const { return wholeEnd_; }

private:
    struct Found {
        Range range;
        Range content;  ///< in the file, or in what is unpacked
        bool packed = false;
    };

    Result<void> take(std::uint64_t& at) {
        const std::uint64_t here = at;
        ASSIGN_OR_RETURN(const Header header, readHeader(*source_, here));
        if (!isLime(header) && !isAvml(header))
            return fail(Errc::malformed, "no header where the next range should begin",
                        source_->where(here));
        if (header.last < header.first || header.last >= physicalEnd)
            return fail(Errc::malformed, "a range that ends before it begins, or nowhere",
                        source_->where(here));
        const Range range = Range::between(header.first, header.last + 1);
        if (isAvml(header)) {
            ASSIGN_OR_RETURN(const Range content,
                             index_.addStream(*source_, here + sizeof(Header), range.size(), at));
            found_.push_back({range, content, true});
            if (content.size() < range.size() || at > source_->size()) truncated(here);
            return {};
        }
        const std::uint64_t begin = here + sizeof(Header);
        at = begin + range.size();
        found_.push_back({range, Range::ofSize(begin, range.size()), false});
        if (at > source_->size()) truncated(here);
        return {};
    }

    void truncated(std::uint64_t at) {
        snapshot_.issues.loss("the file ends before this range does", source_->where(at));
    }

    std::shared_ptr<const AddressSpace> build() {
        const bool packed = index_.contentSize() > 0;
        wholeEnd_ = index_.wholeEnd();
        SegmentSpaceBuilder plain(source_);
        SegmentSpaceBuilder unpacked(
            packed ? std::make_shared<AvmlSource>(source_, std::move(index_)) : source_);
        bool anyPlain = false;
        for (const Found& one : found_) {
            anyPlain |= !one.packed;
            SegmentSpaceBuilder& memory = one.packed ? unpacked : plain;
            const Range there = Range::ofSize(one.range.begin(), one.content.size());
            memory.addSparse(there, one.content.begin());
            memory.addAbsent(Range::between(there.end(), one.range.end()), Absence::truncated);
        }
        std::size_t overlaps = 0;
        auto space = packed ? unpacked.build(&overlaps) : plain.build(&overlaps);
        if (overlaps > 0) snapshot_.issues.note("ranges overlap; the first one counts");
        return packed && anyPlain ? overlay(plain.build(), std::move(space)) : space;
    }

    std::shared_ptr<const Source> source_;
    Snapshot& snapshot_;
    ChunkIndex index_;
    std::vector<Found> found_;
    std::uint64_t wholeEnd_ = 0;
};

Result<Snapshot> openAs(std::shared_ptr<const Source> source, std::string_view format) {
    Snapshot snapshot = startSnapshot(*source, format);
    ASSIGN_OR_RETURN(snapshot.machine->physical, Chain(source, snapshot).read());
    return snapshot;
}

Result<Snapshot> openLime(std::shared_ptr<const Source> source) {
    return openAs(std::move(source), "lime");
}

Result<Snapshot> openAvml(std::shared_ptr<const Source> source) {
    auto snapshot = openAs(std::move(source), "avml");
    if (snapshot)
        snapshot->issues.note(
            "AVML leaves out blocks of zeros: what is not in the image may have been zero");
    return snapshot;
}

std::uint64_t wholeAvml(const std::shared_ptr<const Source>& begun) {
    Snapshot snapshot = startSnapshot(*begun, "avml");
    Chain chain(begun, snapshot);
    return chain.read() ? chain.wholeEnd() : 0;
}

Header headerOf(Range range, bool compressed) {
    Header header{};
    header.magic = compressed ? avmlMagic : limeMagic;
    header.version = compressed ? avmlVersion : limeVersion;
    header.first = range.begin();
    header.last = range.end() - 1;
    return header;
}

Result<WriteReport> writeLime(const Snapshot& snapshot, const ImageOptions&, Sink& sink,
                              Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, physicalMemory(snapshot));
    const std::vector<Range> ranges = storedRanges(*memory);
    WriteReport report;
    tellLosses(snapshot, {}, report.losses);
    progress.begin("writing", bytesIn(ranges));
    for (const Range& range : ranges) {
        TRY(sink.write(bytesOf(headerOf(range, false))));
        ASSIGN_OR_RETURN(const CopyResult copied,
                         copyMemory(*memory, std::span(&range, 1), sink, progress));
        report.zeroBytes += copied.zeroBytes;
        report.unread.insert(report.unread.end(), copied.unread.begin(), copied.unread.end());
    }
    report.bytes = sink.position();
    tellUnread(report.unread, "the image has zeros there", report.losses);
    return report;
}

/// One range of an AVML image, whole.
struct Block {
    RawBytes bytes;
    std::vector<Range> unread;
    std::uint64_t content = 0;
};

Block packBlock(const AddressSpace& memory, Range range) {
    Piece piece = readPiece(memory, range);
    if (piece.zero) piece.bytes.assign(static_cast<std::size_t>(range.size()), std::byte{0});
    Block block;
    block.content = range.size();
    block.unread = std::move(piece.unread);
    const auto header = headerOf(range, true);
    ChunkWriter writer;
    block.bytes.resize(sizeof(Header) + writer.bound(piece.bytes.size()) + sizeof(std::uint64_t));
    std::ranges::copy(bytesOf(header), block.bytes.begin());
    const std::size_t size =
        writer.write(piece.bytes, std::span(block.bytes).subspan(sizeof(Header)));
    storeInteger(block.bytes.data() + sizeof(Header) + size, std::uint64_t{size});
    block.bytes.resize(sizeof(Header) + size + sizeof(std::uint64_t));
    return block;
}

Result<WriteReport> writeAvml(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                              Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, physicalMemory(snapshot));
    const std::vector<Range> ranges = storedRanges(*memory);
    WriteReport report;
    tellLosses(snapshot, {}, report.losses);
    progress.begin("writing", bytesIn(ranges));
    const Pieces pieces(ranges, pieceSizeFor(ranges, mostInBlock));
    const auto pack = [&](std::uint64_t index, unsigned) -> Result<Block> {
        if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
        return packBlock(*memory, pieces[index]);
    };
    const auto put = [&](const Block& block) -> Result<void> {
        report.unread.insert(report.unread.end(), block.unread.begin(), block.unread.end());
        progress.advance(block.content);
        return sink.write(block.bytes);
    };
    TRY(inOrder<Block>(pieces.count(), options.threads, pack, put));
    report.bytes = sink.position();
    tellUnread(report.unread, "the image has zeros there", report.losses);
    return report;
}

constexpr std::array avmlCodecs = {Codec::snappy};

}  // namespace

Format limeFormat() {
    Format format{};
    format.name = "lime";
    format.description = "LiME image of physical memory";
    format.extension = ".lime";
    format.probe = probeLime;
    format.open = openLime;
    format.writeImage = writeLime;
    format.wholeBytes = everyByte;
    return format;
}

Format avmlFormat() {
    Format format{};
    format.name = "avml";
    format.description = "AVML image of physical memory (snappy)";
    format.extension = ".avml";
    format.probe = probeAvml;
    format.open = openAvml;
    format.writeImage = writeAvml;
    format.wholeBytes = wholeAvml;
    format.codecs = avmlCodecs;
    return format;
}

}  // namespace icecore
