#include "formats/lime/avml_source.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/codec.h"
#include "bytes/crc32c.h"
#include "bytes/endian.h"
#include "formats/lime/layout.h"

namespace icecore::lime {

namespace {

/// What a stream begins with: type, length, "sNaPpY".
constexpr std::array<unsigned char, 10> identifier = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};
/// Offsets inside a stream are kept in 32 bits; AVML's are 16 MiB long.
constexpr std::uint64_t maxStream = std::uint64_t{1} << 31;

std::uint32_t masked(std::uint32_t crc) {
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

/// The length of what a compressed chunk holds: the varint that snappy's block begins with.
std::uint32_t snappyLength(std::span<const std::byte> start) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < start.size() && i < 5; ++i) {
        const auto byte = std::to_integer<std::uint32_t>(start[i]);
        value |= (byte & 0x7fU) << (7 * i);
        if ((byte & 0x80U) == 0) return value;
    }
    return UINT32_MAX;
}

struct Head {
    std::uint8_t type = 0;
    std::uint32_t length = 0;
    std::uint32_t content = 0;  ///< bytes it holds unpacked; 0 of chunks that hold none
};

Result<Head> readHead(const Source& file, std::uint64_t at) {
    std::array<std::byte, chunkHeaderSize + 4 + 5> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, raw));
    if (got < chunkHeaderSize)
        return fail(Errc::truncated, "the compressed stream ends early", file.where(at));
    Head head;
    head.type = std::to_integer<std::uint8_t>(raw[0]);
    head.length = loadInteger<std::uint32_t>(raw.data()) >> 8;
    if (head.type == chunkStored && head.length >= 4) {
        head.content = head.length - 4;
    } else if (head.type == chunkCompressed && head.length > 4 && got > 8) {
        head.content = snappyLength(std::span(raw).subspan(8, got - 8));
    } else if (head.type < chunkSkippable) {
        return fail(Errc::malformed, "no chunk of snappy's framing format", file.where(at));
    }
    if (head.content > chunkContent)
        return fail(Errc::malformed, "a chunk of more than 64 KiB", file.where(at));
    return head;
}

}  // namespace

Result<Range> ChunkIndex::addStream(const Source& file, std::uint64_t offset, std::uint64_t size,
                                    std::uint64_t& end) {
    const Stream stream{offset, content_, chunks_.size()};
    std::uint64_t at = offset;
    std::uint64_t found = 0;
    Result<void> outcome;
    while (found < size) {
        const auto head = readHead(file, at);
        if (!head) {
            outcome = std::unexpected(head.error());
            break;
        }
        const std::uint64_t next = at + chunkHeaderSize + head->length;
        if (next > file.size()) {
            outcome = fail(Errc::truncated, "the last chunk is cut off", file.where(at));
            break;
        }
        if (next - offset > maxStream || found + head->content > maxStream)
            return fail(Errc::unsupported, "a compressed range of more than 2 GiB",
                        file.where(offset));
        if (head->content > 0) {
            chunks_.push_back(
                {static_cast<std::uint32_t>(at - offset), static_cast<std::uint32_t>(found)});
            found += head->content;
        }
        at = whole_ = next;
    }
    if (found > 0) streams_.push_back(stream);
    const Range content = Range::ofSize(content_, std::min(found, size));
    content_ += found;
    if (!outcome) {
        if (found == 0) return std::unexpected(outcome.error());
        end = file.size();
        return content;
    }
    end = at + sizeof(Le64);
    std::array<std::byte, sizeof(Le64)> length{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, length));
    if (got == length.size() && loadInteger<std::uint64_t>(length.data()) != at - offset)
        return fail(Errc::malformed, "the length behind a compressed range is not its own",
                    file.where(at));
    if (got == length.size()) whole_ = end;
    return content;
}

Result<ChunkIndex::Chunk> ChunkIndex::find(const Source& file, std::uint64_t content) const {
    const auto stream =
        std::ranges::upper_bound(streams_, content, {}, &Stream::content) - streams_.begin() - 1;
    const Stream& in = streams_[static_cast<std::size_t>(stream)];
    const auto first = chunks_.begin() + static_cast<std::ptrdiff_t>(in.firstChunk);
    const auto last =
        static_cast<std::size_t>(stream) + 1 < streams_.size()
            ? chunks_.begin() + static_cast<std::ptrdiff_t>(
                                    streams_[static_cast<std::size_t>(stream) + 1].firstChunk)
            : chunks_.end();
    const auto after = std::upper_bound(
        first, last, content - in.content,
        [](std::uint64_t value, const Small& chunk) { return value < chunk.content; });
    const Small& small = *(after - 1);
    Chunk chunk;
    chunk.file = in.file + small.file;
    ASSIGN_OR_RETURN(const Head head, readHead(file, chunk.file));
    chunk.packed = head.length;
    chunk.compressed = head.type == chunkCompressed;
    chunk.content = Range::ofSize(in.content + small.content, head.content);
    return chunk;
}

Result<BlockSource::Place> AvmlSource::locate(std::uint64_t offset) const {
    ASSIGN_OR_RETURN(const ChunkIndex::Chunk chunk, index_.find(*file_, offset));
    return Place{chunk.content.begin(), chunk.content};
}

Result<void> AvmlSource::unpack(const Place& place, std::span<std::byte> out) const {
    ASSIGN_OR_RETURN(const ChunkIndex::Chunk chunk, index_.find(*file_, place.content.begin()));
    ASSIGN_OR_RETURN(const auto packed,
                     loadPacked(*file_, chunk.file + chunkHeaderSize, chunk.packed));
    ASSIGN_OR_RETURN(const std::size_t got,
                     unpackBlock(chunk.compressed ? Codec::snappy : Codec::none,
                                 std::span(packed).subspan(4), out));
    if (got != out.size() || masked(crc32c(out)) != loadInteger<std::uint32_t>(packed.data()))
        return fail(Errc::malformed, "the checksum of a chunk is wrong", file_->where(chunk.file));
    return {};
}

std::size_t ChunkWriter::bound(std::size_t content) const {
    const std::size_t chunks = (content + chunkContent - 1) / chunkContent;
    return identifier.size() + chunks * (chunkHeaderSize + 4 + packer_.bound(chunkContent));
}

std::size_t ChunkWriter::write(std::span<const std::byte> content, std::span<std::byte> out) {
    std::ranges::copy(std::as_bytes(std::span(identifier)), out.begin());
    std::size_t used = identifier.size();
    for (std::size_t at = 0; at < content.size(); at += chunkContent)
        used += writeChunk(
            content.subspan(at, std::min<std::size_t>(chunkContent, content.size() - at)),
            out.subspan(used));
    return used;
}

std::size_t ChunkWriter::writeChunk(std::span<const std::byte> content, std::span<std::byte> out) {
    const auto room = out.subspan(chunkHeaderSize + 4);
    std::size_t size = packer_.pack(content, room).value_or(content.size());
    std::uint8_t type = chunkCompressed;
    if (size >= content.size()) {
        type = chunkStored;
        size = content.size();
        std::ranges::copy(content, room.begin());
    }
    const auto length = static_cast<std::uint32_t>(size + 4);
    storeInteger(out.data(), (length << 8) | type);
    storeInteger(out.data() + chunkHeaderSize, masked(crc32c(content)));
    return chunkHeaderSize + 4 + size;
}

}  // namespace icecore::lime
