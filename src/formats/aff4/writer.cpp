#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <random>

#include "base/ordered_work.h"
#include "base/text.h"
#include "base/version.h"
#include "bytes/hash.h"
#include "bytes/zeros.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
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

std::string newUrn() {
    std::random_device random;
    std::array<std::byte, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); i += 4)
        storeInteger(bytes.data() + i, static_cast<std::uint32_t>(random()));
    // RFC 4122, 4.4: version 4.
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    const std::string digits = hexBytes(bytes);
    return "aff4://" + digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" +
           digits.substr(12, 4) + "-" + digits.substr(16, 4) + "-" + digits.substr(20);
}

std::string timeText(std::optional<TimePoint> time) {
    if (!time) return {};
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(seconds - day);
    const auto two = [](auto value) {
        const std::string digits = std::to_string(value);
        return digits.size() < 2 ? "0" + digits : digits;
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
           "T" + two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
           two(clock.seconds().count()) + "Z";
}

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
        if (piece_.zero) {
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
        return allZero(bytesOfRange(page)) ? zeroStream : dataStream;
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
          sink_(sink),
          zip_(sink),
          progress_(progress) {}

    Result<WriteReport> run() {
        const std::vector<Range> ranges = image::storedRanges(memory_);
        end_ = image::endOf(ranges);
        image::tellLosses(snapshot_, {.cpus = true, .kernelInfo = true, .absences = true},
                          report_.losses);
        TRY(zip_.add("container.description", volume_));
        TRY(zip_.add("version.txt",
                     "major=1\nminor=0\ntool=icecore " + std::string(versionText) + "\n"));
        TRY(writeMemory(ranges));
        TRY(flushBevy());
        addAbsent();
        TRY(writeMap());
        TRY(writeExtras());
        TRY(zip_.add("information.turtle", description()));
        TRY(zip_.finish(volume_));
        report_.bytes = sink_.position();
        image::tellUnread(report_.unread, "marked as unreadable in the image", report_.losses);
        return std::move(report_);
    }

private:
    [[nodiscard]] PackedPiece pack(Range range, BlockPacker& packer) const {
        const image::Piece piece = image::readPiece(memory_, range);
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
        chunksInBevy_ = image::pieceSizeFor(ranges, mostInBevy) / chunkSize;
        const image::Pieces pieces(ranges, image::pieceSizeFor(ranges, mostInPiece));
        std::vector<std::unique_ptr<BlockPacker>> packers(workerCount(threads_));
        const auto work = [&](std::uint64_t index, unsigned worker) -> Result<PackedPiece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            if (!packers[worker]) packers[worker] = std::make_unique<BlockPacker>(codec_);
            return pack(pieces[index], *packers[worker]);
        };
        return inOrder<PackedPiece>(pieces.count(), threads_, work,
                                    [&](const PackedPiece& piece) { return use(piece); });
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
        const std::string name = escaped(stream_) + "/" + bevyName(bevies_++);
        TRY(zip_.add(name, bevy_));
        TRY(zip_.add(name + ".index", index_));
        TRY(zip_.add(name + ".blockHash.sha256", blockHashes_));
        hashOfHashes_.update(blockHashes_);
        bevy_.clear();
        index_.clear();
        blockHashes_.clear();
        chunks_ = 0;
        return {};
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

    Result<void> writeMap() {
        const auto map = std::as_bytes(std::span(entries_));
        std::string idx = stream_ + "\n";
        for (const std::string_view uri : std::span(symbolicUris).subspan(1))
            idx += std::string(uri) + "\n";
        const auto names = std::as_bytes(std::span(idx));
        TRY(zip_.add(escaped(map_) + "/map", map));
        TRY(zip_.add(escaped(map_) + "/idx", names));
        mapHash_ = hashText(HashKind::sha512, map);
        idxHash_ = hashText(HashKind::sha512, names);
        blockHash_ = hashOfHashes_.finish();
        Hasher all(HashKind::sha512);
        if (bevies_ > 0) all.update(blockHash_);
        for (const auto part : {map, names}) {
            Hasher one(HashKind::sha512);
            one.update(part);
            all.update(one.finish());
        }
        blockMapHash_ = hexBytes(all.finish());
        return {};
    }

    /// What is known of the CPUs and the kernel, as members of the map's folder.
    Result<void> writeExtras() {
        if (const SharedBytes* info = snapshot_.attachment(image::kernelInfoAttachment))
            TRY(zip_.add(escaped(map_) + "/vmcoreinfo", info->span()));
        if (snapshot_.attachment(image::notesAttachment) != nullptr ||
            !snapshot_.machine->cpus.empty())
            TRY(zip_.add(escaped(map_) + "/notes", image::notesToWrite(snapshot_)));
        return {};
    }

    [[nodiscard]] std::string description() const {
        const auto uri = [](const std::string& urn) { return "<" + urn + ">"; };
        const auto number = [](std::uint64_t value, const char* type) {
            return "\"" + std::to_string(value) + "\"^^xsd:" + type;
        };
        std::string text =
            "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .\n"
            "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
            "@prefix aff4: <http://aff4.org/Schema#> .\n\n";
        text += uri(volume_) + "\n    a aff4:ZipVolume ;\n";
        if (const std::string time = timeText(snapshot_.provenance.time); !time.empty())
            text += "    aff4:creationTime \"" + time + "\"^^xsd:dateTime ;\n";
        text += "    aff4:interface aff4:Volume ;\n    aff4:contains " + uri(image_) + " , " +
                uri(map_) + " , " + uri(stream_) + " .\n\n";
        text += uri(image_) +
                "\n    a aff4:Image , aff4:DiscontiguousImage ;\n"
                "    aff4:category <http://aff4.org/Schema#memory/physical> ;\n"
                "    aff4:dataStream " +
                uri(map_) + " ;\n    aff4:hash \"" + blockMapHash_ +
                "\"^^aff4:blockMapHashSHA512 ;\n    aff4:size " + number(end_, "long") +
                " ;\n    aff4:stored " + uri(volume_) + " .\n\n";
        text += uri(map_) + "\n    a aff4:Map ;\n    aff4:blockMapHash \"" + blockMapHash_ +
                "\"^^aff4:SHA512 ;\n    aff4:dependentStream " + uri(stream_) +
                " ;\n    aff4:mapGapDefaultStream aff4:UnknownData ;\n    aff4:mapIdxHash \"" +
                idxHash_ + "\"^^aff4:SHA512 ;\n    aff4:mapPointHash \"" + mapHash_ +
                "\"^^aff4:SHA512 ;\n    aff4:size " + number(end_, "long") +
                " ;\n    aff4:stored " + uri(volume_) + " ;\n    aff4:target " + uri(image_) +
                " .\n\n";
        text += uri(stream_) + "\n    a aff4:ImageStream ;\n    aff4:chunkSize " +
                number(chunkSize, "int") + " ;\n    aff4:chunksInSegment " +
                number(chunksInBevy_, "int") + " ;\n    aff4:compressionMethod <" +
                std::string(uriOf(codec_)) + "> ;\n    aff4:size " + number(streamSize_, "long") +
                " ;\n    aff4:stored " + uri(volume_) + " ;\n    aff4:target " + uri(map_) +
                " ;\n    aff4:version \"1\"^^xsd:int .\n";
        if (bevies_ > 0)
            text += "\n" + uri(stream_ + "/blockhash.sha256") +
                    "\n    a aff4:BlockHashes ;\n    aff4:hash \"" + hexBytes(blockHash_) +
                    "\"^^aff4:SHA512 .\n";
        return text;
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    Codec codec_;
    int threads_;
    Sink& sink_;
    ZipWriter zip_;
    Progress& progress_;
    const std::string volume_ = newUrn(), image_ = newUrn(), map_ = newUrn(), stream_ = newUrn();
    std::vector<MapEntry> entries_;
    std::vector<std::byte> bevy_, index_, blockHashes_, blockHash_;
    Hasher hashOfHashes_{HashKind::sha512};
    std::string mapHash_, idxHash_, blockMapHash_;
    std::uint64_t chunksInBevy_ = 1, chunks_ = 0, bevies_ = 0, streamSize_ = 0, end_ = 0;
    WriteReport report_;
};

}  // namespace

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(snapshot));
    return Writer(snapshot, *memory, options, sink, progress).run();
}

}  // namespace icecore::aff4
