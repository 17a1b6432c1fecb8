#include "formats/raw/raw.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "bytes/imperfect.h"
#include "bytes/split_source.h"
#include "formats/copy_memory.h"
#include "formats/image/image.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace image;

constexpr std::array<std::string_view, 6> rawExtensions = {".raw", ".img",  ".bin",
                                                           ".mem", ".vmem", ".dd"};
constexpr std::array<std::string_view, 6> packedExtensions = {".gz",   ".xz", ".zst",
                                                              ".zstd", ".z",  ".zlib"};
/// Ranges closer than this are copied in one go, with the gap between them as a hole.
constexpr std::uint64_t nearGap = std::uint64_t{1} << 30;

bool isRawName(const std::filesystem::path& path) {
    return std::ranges::find(rawExtensions, toLower(path.extension().string())) !=
           rawExtensions.end();
}

/// There is nothing to recognise such a file by but its name, and that it is made of pages. What it
/// is called without the extension of a compression ("a.raw.gz"); parts that were put together
/// ("a.001") need not have another one.
bool probe(const Source& source) {
    // What was cut off may end anywhere.
    if (source.size() % pageSize != 0 && !issuesOf(source).lossy()) return false;
    std::filesystem::path path(source.name());
    if (isRawName(path)) return true;
    if (std::ranges::find(packedExtensions, toLower(path.extension().string())) !=
        packedExtensions.end())
        path.replace_extension();
    if (isRawName(path)) return true;
    const auto part = parsePartName(path);
    if (!part || part->number > (part->letters ? 0 : 1)) return false;
    path.replace_extension();
    return isRawName(path) || path.extension().empty();
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot = startSnapshot(*source, "raw");
    SegmentSpaceBuilder memory(source);
    memory.addSparse(Range::ofSize(0, source->size()), 0);
    snapshot.machine->physical = memory.build();
    snapshot.issues.note("the format does not tell which addresses have memory: all are shown");
    return snapshot;
}

/// Copies `ranges`, in order, with holes between them where `padded`.
Result<WriteReport> write(const Snapshot& snapshot, bool padded, Sink& sink, Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, physicalMemory(snapshot));
    const std::vector<Range> ranges = storedRanges(*memory);
    WriteReport report;
    tellLosses(snapshot, {.ranges = false}, report.losses);
    if (padded && endOf(ranges) > physicalEnd)
        return fail(Errc::unsupported, "memory at addresses that a raw image cannot reach",
                    hex(endOf(ranges)));
    progress.begin("writing", bytesIn(ranges));
    RangeSet known;  // to be there: what else is unread was never promised
    for (const Range& range : ranges)
        known.add(range);
    RangeSet unread;
    for (std::size_t first = 0; first < ranges.size();) {
        std::size_t last = first;
        if (padded) {
            while (last + 1 < ranges.size() &&
                   ranges[last + 1].begin() - ranges[last].end() < nearGap)
                ++last;
            TRY(sink.zeros(ranges[first].begin() - sink.position()));
        }
        const Range run = Range::between(ranges[first].begin(), ranges[last].end());
        ASSIGN_OR_RETURN(const CopyResult copied,
                         copyMemory(*memory, std::span(&run, 1), sink, progress));
        report.zeroBytes += copied.zeroBytes;
        for (const Range& range : copied.unread) {
            for (const Range& part : known.within(range))
                unread.add(part);
        }
        first = last + 1;
    }
    report.unread = unread.ranges();
    report.bytes = sink.position();
    tellUnread(report.unread, "the image has zeros there", report.losses);
    return report;
}

Result<WriteReport> writeRaw(const Snapshot& snapshot, const ImageOptions&, Sink& sink,
                             Progress& progress) {
    return write(snapshot, true, sink, progress);
}

Result<WriteReport> writeJoined(const Snapshot& snapshot, const ImageOptions&, Sink& sink,
                                Progress& progress) {
    return write(snapshot, false, sink, progress);
}

}  // namespace

Format rawFormat() {
    Format format{};
    format.name = "raw";
    format.description = "raw image of physical memory";
    format.extension = ".raw";
    format.moreExtensions = rawExtensions;
    format.probe = probe;
    format.open = open;
    format.writeImage = writeRaw;
    format.wholeBytes = everyByte;
    return format;
}

Format joinedFormat() {
    Format format{};
    format.name = "joined";
    format.description = "the ranges of physical memory, one behind the other";
    format.writeImage = writeJoined;
    return format;
}

}  // namespace icecore
