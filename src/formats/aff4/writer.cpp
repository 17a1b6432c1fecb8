#include <algorithm>
#include <memory>
#include <optional>

#include "base/ordered_work.h"
#include "base/text.h"
#include "bytes/hash.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/map_entries.h"
#include "formats/aff4/split_volumes.h"
#include "formats/aff4/unfinished.h"
#include "formats/aff4/volume_set.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

/// Kept until it is whole, as its size and its checksum stand before it.
constexpr std::uint64_t mostInBevy = 1024 * chunkSize;
/// Read, divided and packed by one thread at a time.
constexpr std::uint64_t mostInPiece = std::uint64_t{2} << 20;

/// What is known of the CPUs and the kernel, as members of the map's folder.
VolumeSet::Extras extrasOf(const Snapshot& snapshot) {
    VolumeSet::Extras extras;
    if (const SharedBytes* info = snapshot.attachment(image::kernelInfoAttachment))
        extras.emplace_back("/vmcoreinfo", *info);
    if (snapshot.attachment(image::notesAttachment) != nullptr || !snapshot.machine->cpus.empty())
        extras.emplace_back("/notes", SharedBytes::own(image::notesToWrite(snapshot)));
    return extras;
}

class Writer {
public:
    Writer(const Snapshot& snapshot, const AddressSpace& memory, const ImageOptions& options,
           Progress& progress)
        : snapshot_(snapshot),
          memory_(memory),
          codec_(options.codec.value_or(Codec::snappy)),
          blockHashes_(options.blockHashes),
          options_(options),
          progress_(progress) {}

    Result<WriteReport> run(Sink& sink) {
        const std::vector<Range> ranges = image::storedRanges(memory_);
        end_ = image::endOf(ranges);
        image::tellLosses(snapshot_, {.cpus = true, .kernelInfo = true, .absences = true},
                          report_.losses);
        TRY(begin(ranges, sink));
        TRY(writeMemory(ranges));
        TRY(split_ && volumes_->count() > 1 ? endSplit() : endAll());
        report_.bytes = volumes_->bytes();
        report_.losses.append(volumes_->losses());
        image::tellUnread(report_.unread, "marked as unreadable in the image", report_.losses);
        return std::move(report_);
    }

private:
    Result<void> begin(const std::vector<Range>& ranges, Sink& sink) {
        const unsigned stripes = options_.volumes ? options_.volumes->stripes : 0;
        // Each one's name and place are kept in memory, too: larger than other pieces. Each volume
        // has one of its own.
        const std::uint64_t inBevies = 4 * image::pieceSizeFor(ranges, mostInBevy / 4) / chunkSize;
        chunksInBevy_ = std::max<std::uint64_t>(inBevies / (stripes + 1), 1);
        Description common;
        common.time = snapshot_.provenance.time;
        common.chunkSize = chunkSize;
        common.chunksInBevy = chunksInBevy_;
        common.codec = codec_;
        ASSIGN_OR_RETURN(std::string first, firstVolume());
        common.blockHashes = blockHashes_;
        volumes_.emplace(options_, std::move(first), std::move(common), extrasOf(snapshot_));
        if (options_.volumes && stripes == 0) {
            const SplitRoom::Machine machine{ranges, image::absentExtents(memory_).size(),
                                             volumes_->extrasSize()};
            ASSIGN_OR_RETURN(
                const SplitRoom room,
                SplitRoom::plan(options_.volumes->mostBytes, machine, options_.volumes->firstName));
            split_.emplace(room, *volumes_, entries_);
        }
        TRY(volumes_->openFirst(sink));
        while (volumes_->count() <= stripes)
            TRY(volumes_->openNext());
        return options_.volumes ? Result<void>() : writeBeginning(*volumes_->open().front());
    }

    /// The same name and pieces as before, where an archive is gone on with.
    Result<std::string> firstVolume() {
        if (!options_.begun) return newUrn();
        ASSIGN_OR_RETURN(Begun begun, readBegun(ZipReader::walk(options_.begun), false));
        bevyEnds_ = std::move(begun.ends);
        blockHashes_ = begun.blockHashes.value_or(blockHashes_);
        return begun.volume;
    }

    /// So that the archive can be opened, and gone on with, before it has an end.
    Result<void> writeBeginning(OpenVolume& volume) const {
        const Names& names = volume.writer.names();
        Description description = volumes_->describing(volume);
        description.maps = {{names.map, names.volume, {names.stream}, std::nullopt, std::nullopt}};
        description.streams = {{names.stream, names.volume, names.map, std::nullopt, {}}};
        TRY(volume.writer.add(begunDescription, describe(description)));
        return volume.writer.add(escaped(names.map) + "/idx", idxOf(volumes_->streams()));
    }

    Result<void> writeMemory(const std::vector<Range>& ranges) {
        progress_.begin("writing", image::bytesIn(ranges));
        std::uint64_t pieceSize = image::pieceSizeFor(ranges, 2 * mostInPiece) / 2;
        if (split_) pieceSize = std::min(pieceSize, split_->room().mostInPiece());
        const image::Pieces pieces(cutAtBevies(ranges), pieceSize);
        const Packing packing{worthAnEntry(image::bytesIn(ranges)), codec_, blockHashes_};
        std::vector<std::unique_ptr<BlockPacker>> packers(workerCount(options_.threads));
        const auto work = [&](std::uint64_t index, unsigned worker) -> Result<PackedPiece> {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            if (!packers[worker]) packers[worker] = std::make_unique<BlockPacker>(codec_);
            return packPiece(memory_, pieces[index], packing, *packers[worker]);
        };
        return inOrder<PackedPiece>(
            pieces.count(), options_.threads, work, [&](PackedPiece&& piece) {
                return use(std::make_shared<const PackedPiece>(std::move(piece)));
            });
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

    /// Chunks of a piece that go into one bevy.
    struct Share {
        OpenVolume* volume = nullptr;
        Range bytes;                     ///< of the piece's data
        std::uint64_t streamOffset = 0;  ///< where they go
    };
    [[nodiscard]] std::vector<Share> shares(std::uint64_t chunks) {
        const auto& open = volumes_->open();
        std::vector<std::uint64_t> sizes;
        sizes.reserve(open.size());
        for (const auto& volume : open)
            sizes.push_back(volume->writer.streamSize());
        std::vector<Share> all;
        std::uint64_t room = chunksInBevy_ - open[current_]->writer.chunksWaiting();
        std::size_t volume = current_;
        for (std::uint64_t at = 0; at < chunks;) {
            const std::uint64_t count = std::min(room, chunks - at);
            all.push_back({open[volume].get(), Range::ofSize(at * chunkSize, count * chunkSize),
                           sizes[volume]});
            sizes[volume] += count * chunkSize;
            at += count;
            volume = after(volume);
            room = chunksInBevy_;
        }
        return all;
    }
    /// Which volume has the next bevy.
    [[nodiscard]] std::size_t after(std::size_t volume) const {
        return split_ ? volume : (volume + 1) % volumes_->open().size();
    }

    Result<void> use(const std::shared_ptr<const PackedPiece>& piece) {
        if (split_) {
            TRY(split_->makeRoom(*piece));
            current_ = split_->current();
        }
        const std::vector<Share> all = shares(piece->chunks.size());
        for (const Run& run : piece->runs)
            addRun(run, all);
        for (const Share& share : all) {
            VolumeWriter& writer = share.volume->writer;
            for (std::uint64_t at = share.bytes.begin(); at < share.bytes.end(); at += chunkSize) {
                const auto chunk = static_cast<std::size_t>(at / chunkSize);
                std::span<const std::byte> hash;
                if (blockHashes_)
                    hash = std::span(piece->hashes).subspan(chunk * chunkHashSize, chunkHashSize);
                writer.addChunk(piece, piece->chunks[chunk], hash);
            }
            if (writer.chunksWaiting() < chunksInBevy_) continue;
            TRY(endBevy(writer));
            current_ = after(current_);
        }
        report_.zeroBytes += piece->zeroBytes;
        report_.unread.insert(report_.unread.end(), piece->unread.begin(), piece->unread.end());
        progress_.advance(piece->content);
        return {};
    }

    void addRun(const Run& run, const std::vector<Share>& all) {
        if (run.target != dataStream) return entries_.add(run.range, run.target, run.range.begin());
        const Range bytes = Range::ofSize(run.offset, run.range.size());
        for (const Share& share : all) {
            const Range part = bytes.intersect(share.bytes);
            if (part.empty()) continue;
            entries_.add(
                Range::ofSize(run.range.begin() + (part.begin() - bytes.begin()), part.size()),
                lineOf(share.volume->number),
                share.streamOffset + (part.begin() - share.bytes.begin()));
        }
    }

    /// A single volume's are followed by their part of the map: see unfinished.h.
    Result<void> endBevy(VolumeWriter& writer) {
        if (writer.chunksWaiting() == 0) return {};
        if (options_.volumes) return writer.endBevy(nullptr);
        const std::vector<MapEntry> part = entries_.nextPart(writer.streamSize());
        return writer.endBevy(&part);
    }

    /// What the source itself says is missing.
    void addAbsent() {
        for (const Extent& extent : image::absentExtents(memory_)) {
            const bool unreadable = extent.absence == Absence::unreadable;
            entries_.add(extent.range, unreadable ? unreadableStream : unknownStream,
                         extent.range.begin());
            end_ = std::max(end_, extent.range.end());
        }
        entries_.sort();
    }

    Result<void> endSplit() {
        TRY(split_->endParts());
        addAbsent();
        return split_->endAll(end_);
    }

    /// One volume, or stripes: the map is in each, and its hash covers the stream beside it.
    Result<void> endAll() {
        const auto& open = volumes_->open();
        for (const auto& volume : open) {
            TRY(endBevy(volume->writer));
            TRY(volumes_->endStream(*volume));
        }
        addAbsent();
        const std::string idx = idxOf(volumes_->streams());
        std::vector<MapSaid> maps;
        maps.reserve(open.size());
        for (const auto& volume : open)
            maps.push_back(volumes_->mapOf(*volume, entries_.all(), idx, end_));
        const std::string imageHash = hashOfMaps(maps);
        for (std::size_t i = 0; i < open.size(); ++i) {
            TRY(VolumeSet::writeMap(*open[i], maps[i].urn, entries_.all(),
                                    options_.volumes ? idx : std::string()));
            TRY(volumes_->writeExtras(*open[i], maps[i].urn));
            Description description = volumes_->describing(*open[i]);
            description.imageSize = end_;
            description.imageHash = imageHash;
            description.maps = {maps[i]};
            description.streams = {volumes_->streamOf(i, maps[i].urn)};
            volumes_->speakOfAll(description, i, maps[i].urn);
            TRY(volumes_->end(*open[i], description));
        }
        return {};
    }

    /// Of a single map its own hash; of several the hash of theirs, in the order of their URNs (as
    /// pyaff4 has it; the standard does not say).
    [[nodiscard]] std::string hashOfMaps(std::vector<MapSaid> maps) const {
        if (!blockHashes_) return {};
        if (maps.size() == 1) return maps.front().hashes->blockMap;
        std::ranges::sort(maps, {}, &MapSaid::urn);
        Hasher all(HashKind::sha512);
        for (const MapSaid& map : maps)
            all.update(parseHexBytes(map.hashes->blockMap).value_or(std::vector<std::byte>()));
        return hexBytes(all.finish());
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    Codec codec_;
    bool blockHashes_;
    const ImageOptions& options_;
    Progress& progress_;
    std::vector<std::uint64_t> bevyEnds_;  ///< of an archive that is gone on with
    MapEntries entries_;
    std::uint64_t chunksInBevy_ = 1, end_ = 0;
    std::optional<VolumeSet> volumes_;
    std::optional<SplitVolumes> split_;  ///< where they are written one behind the other
    std::size_t current_ = 0;            ///< of the open volumes: the one that has the next chunk
    WriteReport report_;
};

}  // namespace

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions& options, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(snapshot));
    return Writer(snapshot, *memory, options, progress).run(sink);
}

}  // namespace icecore::aff4
