// The content of all compressed ranges of an AVML image, one behind the other.
#pragma once

#include <vector>

#include "bytes/block_source.h"
#include "bytes/codec.h"

namespace icecore::lime {

/// Where the chunks are: eight bytes for each 64 KiB.
class ChunkIndex {
public:
    struct Chunk {
        std::uint64_t file = 0;    ///< offset of the chunk's header
        std::uint32_t packed = 0;  ///< bytes behind the header
        bool compressed = false;
        Range content;
    };
    /// Reads the framing stream of one range, which begins at `offset` and should have `size` bytes
    /// of content. Returns the content found; `end` is where the next range begins.
    Result<Range> addStream(const Source& file, std::uint64_t offset, std::uint64_t size,
                            std::uint64_t& end);
    [[nodiscard]] Result<Chunk> find(const Source& file, std::uint64_t content) const;
    [[nodiscard]] std::uint64_t contentSize() const { return content_; }
    /// Where the last whole chunk, or length behind a stream, ends in the file.
    [[nodiscard]] std::uint64_t wholeEnd() const { return whole_; }

private:
    struct Stream {
        std::uint64_t file = 0, content = 0;  ///< of its first chunk
        std::size_t firstChunk = 0;
    };
    struct Small {
        std::uint32_t file = 0, content = 0;  ///< from the stream's
    };
    std::vector<Stream> streams_;
    std::vector<Small> chunks_;
    std::uint64_t content_ = 0, whole_ = 0;
};

/// Unpacks chunks and checks their checksums.
class AvmlSource final : public BlockSource {
public:
    AvmlSource(std::shared_ptr<const Source> file, ChunkIndex index)
        : file_(std::move(file)), index_(std::move(index)) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return index_.contentSize(); }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override;
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const override;

private:
    std::shared_ptr<const Source> file_;
    ChunkIndex index_;
};

/// Writes a framing stream into memory that has room for it.
class ChunkWriter {
public:
    /// For `content` bytes in chunks of 64 KiB, with the stream's identifier.
    [[nodiscard]] std::size_t bound(std::size_t content) const;
    /// All of it; how many bytes it takes.
    [[nodiscard]] std::size_t write(std::span<const std::byte> content, std::span<std::byte> out);

private:
    [[nodiscard]] std::size_t writeChunk(std::span<const std::byte> content,
                                         std::span<std::byte> out);

    BlockPacker packer_{Codec::snappy};
};

}  // namespace icecore::lime
