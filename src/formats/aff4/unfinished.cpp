#include "formats/aff4/unfinished.h"

#include "base/range.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxText = std::uint64_t{1} << 20;
constexpr std::uint64_t maxBevy = UINT32_MAX;
constexpr std::uint64_t indexEntry = 12;
/// Lines of our idx: the stream, zeros, what could not be read, what is not known.
constexpr std::uint32_t dataTarget = 0, targets = 4;

class Walk {
public:
    Walk(const ZipReader& zip, Begun& begun, StreamShape shape, const std::string& map)
        : zip_(zip), begun_(begun), shape_(std::move(shape)), map_(escaped(map) + "/") {}

    /// The next bevy, when it is whole.
    bool take(bool check) {
        const std::uint64_t number = begun_.ends.size();
        const auto limit = checkedMultiply(number + 1, shape_.chunkSize * shape_.chunksInSegment);
        if (!limit || *limit > INT64_MAX) return false;
        const std::string name = escaped(shape_.urn) + "/" + bevyName(number);
        const ZipMember* const bevy = zip_.find(name);
        const ZipMember* const index = zip_.find(name + ".index");
        const ZipMember* const hashes = zip_.find(name + ".blockHash.sha256");
        const ZipMember* const part = zip_.find(map_ + mapPartName(number));
        if (bevy == nullptr || index == nullptr || part == nullptr) return false;
        // Between them: where one bevy has it, all have.
        if (begun_.blockHashes.value_or(hashes != nullptr) != (hashes != nullptr)) return false;
        // The last bevy may be shorter: what would have followed it can still become part of it.
        if (index->size != shape_.chunksInSegment * indexEntry) return false;
        for (const ZipMember* const member : {bevy, index, hashes}) {
            if (check && member != nullptr && !zip_.load(*member, maxBevy)) return false;
        }
        const auto entries = zip_.load(*part, maxBevy);
        const auto end = zip_.endOf(*part);
        if (!entries || !end || !takeEntries(ByteView(entries->span()), *limit)) return false;
        begun_.map.insert(begun_.map.end(), entries->span().begin(), entries->span().end());
        begun_.size = *end;
        begun_.blockHashes = hashes != nullptr;
        size_ = *limit;
        return true;
    }
    /// Of the stream, as far as its bevies are whole.
    [[nodiscard]] std::uint64_t streamSize() const { return size_; }

private:
    /// Ascending, behind those before, of what the bevies have; the last one ends with the bevy.
    bool takeEntries(ByteView bytes, std::uint64_t streamSize) {
        std::uint64_t at = begun_.ends.empty() ? 0 : begun_.ends.back();
        std::uint32_t last = targets;
        Cursor cursor(bytes);
        while (cursor.remaining() >= sizeof(MapEntry)) {
            const auto entry = cursor.structure<MapEntry>();
            const auto end = checkedAdd(entry.mapOffset, entry.length);
            const auto dataEnd = checkedAdd(entry.targetOffset, entry.length);
            last = entry.target;
            if (!end || *end > image::physicalEnd || entry.mapOffset < at || last >= targets ||
                (last == dataTarget && (!dataEnd || *dataEnd > streamSize)))
                return false;
            at = *end;
        }
        if (cursor.remaining() > 0 || last != dataTarget) return false;
        begun_.ends.push_back(at);
        return true;
    }

    const ZipReader& zip_;
    Begun& begun_;
    StreamShape shape_;
    std::string map_;
    std::uint64_t size_ = 0;
};

}  // namespace

std::string mapPartName(std::uint64_t bevy) {
    return "map." + bevyName(bevy);
}

Result<Begun> readBegun(const ZipReader& zip, bool checkBevies) {
    const std::string where = zip.file().name();
    const ZipMember* const name = zip.find("container.description");
    const ZipMember* const description = zip.find(begunDescription);
    if (name == nullptr || description == nullptr)
        return fail(Errc::malformed, "not the beginning of an archive of icecore's", where);
    Begun begun;
    ASSIGN_OR_RETURN(const SharedBytes volume, zip.load(*name, maxText));
    begun.volume = volume.text();
    ASSIGN_OR_RETURN(const SharedBytes text, zip.load(*description, maxText));
    ASSIGN_OR_RETURN(begun.graph, parseTurtle(ByteView(text.span(), where)));
    const std::string map = imageOf(begun.graph);
    const auto stream = begun.graph.one(map, "aff4:dependentStream");
    if (!stream) return fail(Errc::malformed, "describes no stream of an image", where);
    ASSIGN_OR_RETURN(const StreamShape shape, shapeOf(begun.graph, stream->value));
    Walk walk(zip, begun, shape, map);
    while (walk.take(checkBevies)) {
    }
    begun.graph.add(stream->value, "aff4:size", {std::to_string(walk.streamSize()), {}, false});
    return begun;
}

}  // namespace icecore::aff4
