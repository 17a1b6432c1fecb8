#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "base/ordered_work.h"
#include "base/text.h"
#include "base/version.h"
#include "bytes/hash.h"
#include "bytes/zeros.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/description.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/unfinished.h"
#include "formats/aff4/zip_writer.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

using image::pageSize;

constexpr std::uint64_t chunkSize = 32768;
/// Kept until it is whole, as its size stands before it.
constexpr std::uint64_t mostInBevy = 1024 * chunkSize;
/// Read, divided and packed by one thread at a time.
constexpr std::uint64_t mostInPiece = std::uint64_t{2} << 20;
/// Shorter runs of zeros go into the stream, where they pack to nothing: entries of a map are kept
/// in memory until its end.
constexpr std::uint64_t worthAnEntry = std::uint64_t{64} << 10;

/// Streams by their line in idx.
enum Target : std::uint32_t { dataStream, zeroStream, unreadableStream, unknownStream };
constexpr std::array<std::string_view, 4> symbolicUris = {"", "http://aff4.org/Schema#Zero",
                                                          "http://aff4.org/Schema#UnreadableData",
                                                          "http://aff4.org/Schema#UnknownData"};

struct Run {
    Range range;  ///< of memory
    Target target = dataStream;
    std::uint64_t offset = 0;  ///< in the piece's data
};

struct PackedPiece {
    std::uint64_t content = 0;
    std::vector<Run> runs;
    std::vector<std::uint32_t> sizes;  ///< of each packed chunk
    std::vector<std::byte> bytes, hashes;
    std::vector<Range> unread;
    std::uint64_t zeroBytes = 0;
};

std::string hashText(HashKind kind, std::span<const std::byte> bytes) {
    Hasher hasher(kind);
    hasher.update(bytes);
    return hexBytes(hasher.finish());
}

/// Divides a piece into what goes into the stream, zeros, and what could not be read.
class Divider {
public:
    Divider(const image::Piece& piece, PackedPiece& packed) : piece_(piece), packed_(packed) {}

    /// The bytes for the stream, filled up to whole chunks.
    std::vector<std::byte> run() {
        if (piece_.zero && piece_.bytes.empty()) {
            add(piece_.range, zeroStream);
            packed_.zeroBytes = piece_.range.size();
            return {};
        }
        std::uint64_t at = piece_.range.begin();
        while (at < piece_.range.end()) {
            const Range page =
                Range::between(at, alignDown(at, pageSize) + pageSize).intersect(piece_.range);
            add(page, kindOf(page));
            at = page.end();
        }
        return gather();
    }

private:
    [[nodiscard]] std::span<const std::byte> bytesOfRange(Range range) const {
        return std::span(piece_.bytes)
            .subspan(static_cast<std::size_t>(range.begin() - piece_.range.begin()),
                     static_cast<std::size_t>(range.size()));
    }
    Target kindOf(Range page) {
        while (unread_ < piece_.unread.size() && piece_.unread[unread_].end() <= page.begin())
            ++unread_;
        if (unread_ < piece_.unread.size() && piece_.unread[unread_].overlaps(page))
            return unreadableStream;
        return page.size() == pageSize && allZero(bytesOfRange(page)) ? zeroStream : dataStream;
    }
    void add(Range range, Target target) {
        if (!packed_.runs.empty() && packed_.runs.back().target == target)
            packed_.runs.back().range =
                Range::between(packed_.runs.back().range.begin(), range.end());
        else
            packed_.runs.push_back({range, target, 0});
    }
    std::vector<std::byte> gather() {
        std::vector<Run> all = std::move(packed_.runs);
        packed_.runs.clear();
        for (const Run& run : all) {
            const bool small = run.target == zeroStream && run.range.size() < worthAnEntry;
            if (run.target == zeroStream) packed_.zeroBytes += run.range.size();
            add(run.range, small ? dataStream : run.target);
        }
        std::vector<std::byte> data;
        for (Run& run : packed_.runs) {
            if (run.target != dataStream) continue;
            run.offset = data.size();
            const auto bytes = bytesOfRange(run.range);
            data.insert(data.end(), bytes.begin(), bytes.end());
        }
        data.resize(static_cast<std::size_t>(alignUp(data.size(), chunkSize)));
        return data;
    }

    const image::Piece& piece_;
    PackedPiece& packed_;
    std::size_t unread_ = 0;
};

class Writer {
public:
    Writer(const Snapshot& snapshot, const AddressSpace& memory, const ImageOptions& options,
           Sink& sink, Progress& progress)
        : snapshot_(snapshot),
          memory_(memory),
          codec_(options.codec.value_or(Codec::snappy)),
          threads_(options.threads),
          begun_(options.begun),
          sink_(sink),
          zip_(sink),
          progress_(progress) {}

    Result<WriteReport> run() {
        const std::vector<Range> ranges = image::storedRanges(memory_);
        end_ = image::endOf(ranges);
        // Each one's name and place are kept in memory, too: larger than other pieces.
        chunksInBevy_ = 4 * image::pieceSizeFor(ranges, mostInBevy / 4) / chunkSize;
        TRY(nameAll());
        image::tellLosses(snapshot_, {.cpus = true, .kernelInfo = true, .absences = true},
                          report_.losses);
        TRY(zip_.add("container.description", names_.volume));
        TRY(zip_.add("version.txt",
                     "major=1\nminor=0\ntool=icecore " + std::string(versionText) + "\n"));
        TRY(zip_.add(begunDescription, describe(description())));
        TRY(writeNames());
        TRY(writeMemory(ranges));
        TRY(flushBevy());
        addAbsent();
        TRY(writeMap());
        TRY(writeExtras());
        Description whole = description();
        whole.content = content_;
        TRY(zip_.add("information.turtle", describe(whole)));
        TRY(zip_.finish(names_.volume));
        report_.bytes = sink_.position();
        image::tellUnread(report_.unread, "marked as unreadable in the image", report_.losses);
        return std::move(report_);
    }

private:
    /// The same names and pieces as before, where an archive is gone on with.
    Result<void> nameAll() {
        if (!begun_) {
            names_ = namesIn(newUrn());
            return {};
        }
        ASSIGN_OR_RETURN(Begun begun, readBegun(ZipReader::walk(begun_), false));
        names_ = namesIn(begun.volume);
        bevyEnds_ = std::move(begun.ends);
        return {};
    }

    [[nodiscard]] PackedPiece pack(Range range, BlockPacker& packer) const {
        image::Piece piece = image::readPiece(memory_, range);
        // Divided as part of a larger piece would be.
        if (piece.zero && (range.size() < worthAnEntry || range.begin() % pageSize != 0 ||
                           range.end() % pageSize != 0))
            piece.bytes.resize(static_cast<std::size_t>(range.size()));
        PackedPiece packed;
        packed.content = range.size();
        packed.unread = piece.unread;
        const std::vector<std::byte> data = Divider(piece, packed).run();
        std::vector<std::byte> room(packer.bound(chunkSize));
        for (std::size_t at = 0; at < data.size(); at += chunkSize) {
            const auto chunk = std::span(data).subspan(at, chunkSize);
            const std::size_t size = packer.pack(chunk, room).value_or(chunkSize);
            // As long as the chunk means that it is stored.
            const bool smaller = codec_ != Codec::none && size < chunkSize;
            const auto chosen = smaller ? std::span<const std::byte>(room).first(size) : chunk;
            packed.bytes.insert(packed.bytes.end(), chosen.begin(), chosen.end());
            packed.sizes.push_back(static_cast<std::uint32_t>(chosen.size()));
            Hasher hasher(HashKind::sha256);
            hasher.update(chunk);
            const std::vector<std::byte> hash = hasher.finish();
            packed.hashes.insert(packed.hashes.end(), hash.begin(), hash.end());
        }
        return packed;
    }

    Result<void> writeMemory(const std::vector<Range>& ranges) {
        progress_.begin("writing", image::bytesIn(ranges));
        const image::Pieces pieces(cutAtBevies(ranges),
                                   image::pieceSizeFor(ranges, 2 * mostInPiece) / 2);
        std::vector<std::unique_ptr<BlockPacker>> packers(workerCount(threads_));
        const auto work = [&](std::uint64_t index, unsigned worker) -> Result<PackedPiece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            if (!packers[worker]) packers[worker] = std::make_unique<BlockPacker>(codec_);
            return pack(pieces[index], *packers[worker]);
        };
        return inOrder<PackedPiece>(pieces.count(), threads_, work,
                                    [&](const PackedPiece& piece) { return use(piece); });
    }

    /// Where a bevy ended in the middle of a piece, what comes behind is read anew and may be
    /// divided otherwise; what lies before must not be. Division depends on nothing behind a byte
    /// that is data, and with such a one each bevy ends.
    [[nodiscard]] std::vector<Range> cutAtBevies(const std::vector<Range>& ranges) const {
        std::vector<Range> cut;
        auto end = bevyEnds_.begin();
        for (Range range : ranges) {
            for (; end != bevyEnds_.end() && *end < range.end(); ++end) {
                if (*end <= range.begin()) continue;
                cut.push_back(Range::between(range.begin(), *end));
                range = Range::between(*end, range.end());
            }
            cut.push_back(range);
        }
        return cut;
    }

    Result<void> use(const PackedPiece& piece) {
        for (const Run& run : piece.runs)
            addEntry(run.range, run.target,
                     run.target == dataStream ? streamSize_ + run.offset : run.range.begin());
        std::size_t at = 0;
        constexpr std::size_t hashSize = 32;
        for (std::size_t i = 0; i < piece.sizes.size(); ++i) {
            const std::size_t size = piece.sizes[i];
            appendInteger<std::uint64_t>(index_, bevy_.size());
            appendInteger<std::uint32_t>(index_, piece.sizes[i]);
            const auto bytes = std::span(piece.bytes).subspan(at, size);
            bevy_.insert(bevy_.end(), bytes.begin(), bytes.end());
            const auto hash = std::span(piece.hashes).subspan(i * hashSize, hashSize);
            blockHashes_.insert(blockHashes_.end(), hash.begin(), hash.end());
            at += size;
            streamSize_ += chunkSize;
            if (++chunks_ == chunksInBevy_) TRY(flushBevy());
        }
        report_.zeroBytes += piece.zeroBytes;
        report_.unread.insert(report_.unread.end(), piece.unread.begin(), piece.unread.end());
        progress_.advance(piece.content);
        return {};
    }

    Result<void> flushBevy() {
        if (chunks_ == 0) return {};
        const std::string name = escaped(names_.stream) + "/" + bevyName(bevies_++);
        TRY(zip_.add(name, bevy_));
        TRY(zip_.add(name + ".index", index_));
        TRY(zip_.add(name + ".blockHash.sha256", blockHashes_));
        const std::vector<MapEntry> part = mapPart();
        TRY(zip_.add(escaped(names_.map) + "/" + mapPartName(bevies_ - 1),
                     std::as_bytes(std::span(part))));
        hashOfHashes_.update(blockHashes_);
        bevy_.clear();
        index_.clear();
        blockHashes_.clear();
        chunks_ = 0;
        return {};
    }

    /// The entries behind those of the bevy before, up to the last byte that this one has. What
    /// stands behind that one is the next bevy's, as something may still become of it.
    std::vector<MapEntry> mapPart() {
        const auto endOf = [](const MapEntry& entry) { return entry.mapOffset + entry.length; };
        while (partEntry_ < entries_.size() && endOf(entries_[partEntry_]) <= partBegin_)
            ++partEntry_;
        std::vector<MapEntry> part;
        for (const MapEntry& whole : std::span(entries_).subspan(partEntry_)) {
            MapEntry entry = whole;
            const std::uint64_t had =
                std::max<std::uint64_t>(partBegin_, entry.mapOffset) - entry.mapOffset;
            entry.mapOffset = entry.mapOffset + had;
            entry.targetOffset = entry.targetOffset + had;
            entry.length = entry.length - had;
            if (entry.target == dataStream) {
                if (entry.targetOffset >= streamSize_) break;
                entry.length =
                    std::min<std::uint64_t>(entry.length, streamSize_ - entry.targetOffset);
            }
            part.push_back(entry);
        }
        while (!part.empty() && part.back().target != dataStream)
            part.pop_back();
        if (!part.empty()) partBegin_ = endOf(part.back());
        return part;
    }

    /// Entries go on where the last one ends as long as they can.
    void addEntry(Range range, Target target, std::uint64_t offset) {
        if (!entries_.empty()) {
            MapEntry& last = entries_.back();
            const bool joins = last.target == target &&
                               last.mapOffset + last.length == range.begin() &&
                               last.targetOffset + last.length == offset;
            if (joins) {
                last.length = last.length + range.size();
                return;
            }
        }
        MapEntry entry{};
        entry.mapOffset = range.begin();
        entry.length = range.size();
        entry.targetOffset = offset;
        entry.target = target;
        entries_.push_back(entry);
    }

    /// What the source itself says is missing.
    void addAbsent() {
        for (const Extent& extent : image::absentExtents(memory_)) {
            const bool unreadable = extent.absence == Absence::unreadable;
            addEntry(extent.range, unreadable ? unreadableStream : unknownStream,
                     extent.range.begin());
            end_ = std::max(end_, extent.range.end());
        }
        std::ranges::sort(entries_, {},
                          [](const MapEntry& entry) { return std::uint64_t{entry.mapOffset}; });
    }

    Result<void> writeNames() {
        idx_ = names_.stream + "\n";
        for (const std::string_view uri : std::span(symbolicUris).subspan(1))
            idx_ += std::string(uri) + "\n";
        return zip_.add(escaped(names_.map) + "/idx", idx_);
    }

    Result<void> writeMap() {
        const auto map = std::as_bytes(std::span(entries_));
        const auto names = std::as_bytes(std::span(idx_));
        TRY(zip_.add(escaped(names_.map) + "/map", map));
        content_.imageSize = end_;
        content_.streamSize = streamSize_;
        content_.mapHash = hashText(HashKind::sha512, map);
        content_.idxHash = hashText(HashKind::sha512, names);
        const std::vector<std::byte> blockHash = hashOfHashes_.finish();
        Hasher all(HashKind::sha512);
        if (bevies_ > 0) {
            all.update(blockHash);
            content_.blockHash = hexBytes(blockHash);
        }
        for (const auto part : {map, names}) {
            Hasher one(HashKind::sha512);
            one.update(part);
            all.update(one.finish());
        }
        content_.blockMapHash = hexBytes(all.finish());
        return {};
    }

    /// What is known of the CPUs and the kernel, as members of the map's folder.
    Result<void> writeExtras() {
        if (const SharedBytes* info = snapshot_.attachment(image::kernelInfoAttachment))
            TRY(zip_.add(escaped(names_.map) + "/vmcoreinfo", info->span()));
        if (snapshot_.attachment(image::notesAttachment) != nullptr ||
            !snapshot_.machine->cpus.empty())
            TRY(zip_.add(escaped(names_.map) + "/notes", image::notesToWrite(snapshot_)));
        return {};
    }

    [[nodiscard]] Description description() const {
        Description description{names_, snapshot_.provenance.time, chunkSize, chunksInBevy_, codec_,
                                {}};
        return description;
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    Codec codec_;
    int threads_;
    std::shared_ptr<const Source> begun_;
    Sink& sink_;
    ZipWriter zip_;
    Progress& progress_;
    Names names_;
    std::string idx_;
    Description::Content content_;
    std::vector<std::uint64_t> bevyEnds_;  ///< of an archive that is gone on with
    std::vector<MapEntry> entries_;
    std::vector<std::byte> bevy_, index_, blockHashes_;
    Hasher hashOfHashes_{HashKind::sha512};
    std::uint64_t chunksInBevy_ = 1, chunks_ = 0, bevies_ = 0, streamSize_ = 0, end_ = 0;
    std::size_t partEntry_ = 0;    ///< the entry in which the next part of the map begins,
    std::uint64_t partBegin_ = 0;  ///< and the address where it does
    WriteReport report_;
};

}  // namespace

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(snapshot));
    return Writer(snapshot, *memory, options, sink, progress).run();
}

}  // namespace icecore::aff4
