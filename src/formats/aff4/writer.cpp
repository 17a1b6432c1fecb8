#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "base/one_behind.h"
#include "base/ordered_work.h"
#include "base/text.h"
#include "base/version.h"
#include "bytes/hash.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/description.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/packed_piece.h"
#include "formats/aff4/unfinished.h"
#include "formats/aff4/zip_writer.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

/// Kept until it is whole, as its size and its checksum stand before it.
constexpr std::uint64_t mostInBevy = 1024 * chunkSize;
/// Read, divided and packed by one thread at a time.
constexpr std::uint64_t mostInPiece = std::uint64_t{2} << 20;

constexpr std::array<std::string_view, 4> symbolicUris = {"", "http://aff4.org/Schema#Zero",
                                                          "http://aff4.org/Schema#UnreadableData",
                                                          "http://aff4.org/Schema#UnknownData"};

/// Members of the archive that belong to some chunks one behind the other.
struct Bevy {
    std::string name;
    std::vector<std::shared_ptr<const PackedPiece>> pieces;  ///< where the parts lie
    std::vector<std::span<const std::byte>> parts;           ///< the chunks, joined where they can
    std::vector<std::byte> index, hashes;
    std::string mapPartName;
    std::vector<MapEntry> mapPart;
    std::uint64_t chunks = 0, bytes = 0;
};

std::string hashText(HashKind kind, std::span<const std::byte> bytes) {
    Hasher hasher(kind);
    hasher.update(bytes);
    return hexBytes(hasher.finish());
}

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

    Result<void> writeMemory(const std::vector<Range>& ranges) {
        progress_.begin("writing", image::bytesIn(ranges));
        const image::Pieces pieces(cutAtBevies(ranges),
                                   image::pieceSizeFor(ranges, 2 * mostInPiece) / 2);
        const std::uint64_t entryFrom = worthAnEntry(image::bytesIn(ranges));
        std::vector<std::unique_ptr<BlockPacker>> packers(workerCount(threads_));
        const auto work = [&](std::uint64_t index, unsigned worker) -> Result<PackedPiece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            if (!packers[worker]) packers[worker] = std::make_unique<BlockPacker>(codec_);
            return packPiece(memory_, pieces[index], entryFrom, codec_, *packers[worker]);
        };
        TRY(inOrder<PackedPiece>(pieces.count(), threads_, work, [&](PackedPiece&& piece) {
            return use(std::make_shared<const PackedPiece>(std::move(piece)));
        }));
        TRY(endBevy());
        return writing_.drain();
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

    Result<void> use(const std::shared_ptr<const PackedPiece>& piece) {
        for (const Run& run : piece->runs)
            addEntry(run.range, run.target,
                     run.target == dataStream ? streamSize_ + run.offset : run.range.begin());
        auto hashes = std::span(piece->hashes);
        for (const auto chunk : piece->chunks) {
            addChunk(piece, chunk, hashes.first(chunkHashSize));
            hashes = hashes.subspan(chunkHashSize);
            if (bevy_.chunks == chunksInBevy_) TRY(endBevy());
        }
        report_.zeroBytes += piece->zeroBytes;
        report_.unread.insert(report_.unread.end(), piece->unread.begin(), piece->unread.end());
        progress_.advance(piece->content);
        return {};
    }

    void addChunk(const std::shared_ptr<const PackedPiece>& piece, std::span<const std::byte> chunk,
                  std::span<const std::byte> hash) {
        appendInteger(bevy_.index, bevy_.bytes);
        appendInteger(bevy_.index, static_cast<std::uint32_t>(chunk.size()));
        bevy_.hashes.insert(bevy_.hashes.end(), hash.begin(), hash.end());
        const bool another = bevy_.pieces.empty() || bevy_.pieces.back() != piece;
        if (another) bevy_.pieces.push_back(piece);
        if (!another && bevy_.parts.back().data() + bevy_.parts.back().size() == chunk.data())
            bevy_.parts.back() = {bevy_.parts.back().data(),
                                  bevy_.parts.back().size() + chunk.size()};
        else
            bevy_.parts.push_back(chunk);
        bevy_.bytes += chunk.size();
        streamSize_ += chunkSize;
        ++bevy_.chunks;
    }

    Result<void> endBevy() {
        if (bevy_.chunks == 0) return {};
        bevy_.name = escaped(names_.stream) + "/" + bevyName(bevies_);
        bevy_.mapPartName = escaped(names_.map) + "/" + mapPartName(bevies_++);
        bevy_.mapPart = mapPart();
        hashOfHashes_.update(bevy_.hashes);
        return writing_.give(std::exchange(bevy_, {}));
    }

    Result<void> write(const Bevy& bevy) {
        TRY(zip_.add(bevy.name, bevy.parts));
        TRY(zip_.add(bevy.name + ".index", bevy.index));
        TRY(zip_.add(bevy.name + ".blockHash.sha256", bevy.hashes));
        return zip_.add(bevy.mapPartName, std::as_bytes(std::span(bevy.mapPart)));
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
    Bevy bevy_;
    Hasher hashOfHashes_{HashKind::sha512};
    std::uint64_t chunksInBevy_ = 1, bevies_ = 0, streamSize_ = 0, end_ = 0;
    std::size_t partEntry_ = 0;    ///< the entry in which the next part of the map begins,
    std::uint64_t partBegin_ = 0;  ///< and the address where it does
    WriteReport report_;
    OneBehind<Bevy> writing_{
        [this](const Bevy& bevy) { return write(bevy); }};  // last: it uses zip_
};

}  // namespace

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(snapshot));
    return Writer(snapshot, *memory, options, sink, progress).run();
}

}  // namespace icecore::aff4
