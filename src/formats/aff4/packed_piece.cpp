#include "formats/aff4/packed_piece.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "bytes/hash.h"
#include "bytes/zeros.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

using image::pageSize;

/// Divides a piece into what goes into the stream, zeros, and what could not be read.
class Divider {
public:
    Divider(image::Piece& piece, std::uint64_t entryFrom, PackedPiece& packed)
        : piece_(piece), entryFrom_(entryFrom), packed_(packed) {}

    /// The bytes for the stream, filled up to whole chunks. Takes the piece's own.
    RawBytes run() {
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
        joinShort();
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
    void joinShort() {
        std::vector<Run> all = std::move(packed_.runs);
        packed_.runs.clear();
        for (const Run& run : all) {
            const bool small = run.target == zeroStream && run.range.size() < entryFrom_;
            if (run.target == zeroStream) packed_.zeroBytes += run.range.size();
            add(run.range, small ? dataStream : run.target);
        }
    }
    RawBytes gather() {
        RawBytes data;
        if (packed_.runs.size() == 1 && packed_.runs.front().target == dataStream) {
            data = std::move(piece_.bytes);
        } else {
            for (Run& run : packed_.runs) {
                if (run.target != dataStream) continue;
                run.offset = data.size();
                const auto bytes = bytesOfRange(run.range);
                data.insert(data.end(), bytes.begin(), bytes.end());
            }
        }
        data.resize(static_cast<std::size_t>(alignUp(data.size(), chunkSize)), std::byte{0});
        return data;
    }

    image::Piece& piece_;
    std::uint64_t entryFrom_;
    PackedPiece& packed_;
    std::size_t unread_ = 0;
};

/// Packs the chunks of `data`; those that become no shorter stay where they are.
void packChunks(RawBytes data, Codec codec, BlockPacker& packer, PackedPiece& packed) {
    const std::size_t count = data.size() / chunkSize;
    std::vector<std::size_t> sizes(count, chunkSize);  // as long as the chunk: it is stored
    if (codec != Codec::none) {
        const std::size_t bound = packer.bound(chunkSize);
        const auto room = std::make_unique_for_overwrite<std::byte[]>(bound);
        for (std::size_t i = 0; i < count; ++i) {
            const auto chunk = std::span<const std::byte>(data).subspan(i * chunkSize, chunkSize);
            const auto size = packer.pack(chunk, {room.get(), bound});
            if (!size || *size >= chunkSize) continue;
            sizes[i] = *size;
            packed.packed.insert(packed.packed.end(), room.get(), room.get() + *size);
        }
    }
    if (std::ranges::find(sizes, chunkSize) != sizes.end()) packed.data = std::move(data);
    packed.chunks.reserve(count);
    std::size_t used = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const bool stored = sizes[i] == chunkSize;
        const auto all = stored ? std::span<const std::byte>(packed.data) : packed.packed;
        packed.chunks.push_back(all.subspan(stored ? i * chunkSize : used, sizes[i]));
        used += stored ? 0 : sizes[i];
    }
}

}  // namespace

std::uint64_t worthAnEntry(std::uint64_t bytes) {
    constexpr std::uint64_t least = std::uint64_t{16} << 10, mostEntries = std::uint64_t{1} << 20;
    return std::max(least, std::bit_ceil(bytes / mostEntries));
}

PackedPiece packPiece(const AddressSpace& memory, Range range, const Packing& packing,
                      BlockPacker& packer) {
    image::Piece piece = image::readPiece(memory, range);
    // Divided as part of a larger piece would be.
    if (piece.zero && (range.size() < packing.entryFrom || range.begin() % pageSize != 0 ||
                       range.end() % pageSize != 0))
        piece.bytes.assign(static_cast<std::size_t>(range.size()), std::byte{0});
    PackedPiece packed;
    packed.content = range.size();
    packed.unread = piece.unread;
    RawBytes data = Divider(piece, packing.entryFrom, packed).run();
    if (packing.hashes) sha256Each(data, chunkSize, packed.hashes);
    packChunks(std::move(data), packing.codec, packer, packed);
    return packed;
}

}  // namespace icecore::aff4
