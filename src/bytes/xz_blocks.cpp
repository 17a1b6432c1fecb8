#include "bytes/xz_blocks.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ranges>

#include "bytes/zeros.h"

namespace icecore {

namespace {

constexpr std::size_t inputSize = std::size_t{64} << 10;
/// Of a decoder: `xz -9` needs 65 MiB.
constexpr std::uint64_t mostMemory = std::uint64_t{192} << 20;
/// Of an index: 16 bytes for each block.
constexpr std::uint64_t mostIndexMemory = std::uint64_t{32} << 20;
/// A chunk of LZMA2 holds at most 2 MiB in at least 11 bytes: what claims more lies.
constexpr std::uint64_t mostRatio = (std::uint64_t{2} << 20) / 11 + 1;
constexpr std::uint64_t mostContent = std::uint64_t{1} << 60;
/// Padding between streams that is looked through.
constexpr std::uint64_t mostPadding = std::uint64_t{1} << 20;

std::unexpected<Error> damaged(const Source& file, std::uint64_t at, std::string_view what) {
    return fail(Errc::malformed, "damaged xz: " + std::string(what), file.where(at));
}

const std::uint8_t* raw(const SharedBytes& bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.span().data());
}

/// The header of a block, and what is to be freed of it.
struct BlockHeader {
    std::array<lzma_filter, LZMA_FILTERS_MAX + 1> filters{};
    lzma_block block{};

    BlockHeader() { filters[0].id = LZMA_VLI_UNKNOWN; }
    ~BlockHeader() {
        for (const lzma_filter& filter : filters) {
            if (filter.id == LZMA_VLI_UNKNOWN) break;
            std::free(filter.options);  // NOLINT(cppcoreguidelines-no-malloc): liblzma's way
        }
    }
    BlockHeader(const BlockHeader&) = delete;
    BlockHeader& operator=(const BlockHeader&) = delete;
};

/// `false` where the index stands instead of another block.
Result<bool> readHeader(const Source& file, std::uint64_t at, lzma_check check,
                        BlockHeader& header) {
    std::array<std::byte, 1> first{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, first));
    if (got == 0) return fail(Errc::truncated, "the compressed file is cut off", file.where(at));
    if (first[0] == std::byte{0}) return false;
    header.block.version = 1;
    header.block.check = check;
    header.block.filters = header.filters.data();
    header.block.header_size =
        lzma_block_header_size_decode(std::to_integer<std::uint32_t>(first[0]));
    ASSIGN_OR_RETURN(const SharedBytes bytes, file.load(at, header.block.header_size));
    if (lzma_block_header_decode(&header.block, nullptr, raw(bytes)) != LZMA_OK) {
        header.filters[0].id = LZMA_VLI_UNKNOWN;  // freed already
        return damaged(file, at, "a block's header");
    }
    return true;
}

/// Unpacks one block.
class BlockDecoder {
public:
    static Result<std::unique_ptr<BlockDecoder>> create(const std::shared_ptr<const Source>& file,
                                                        std::uint64_t at, lzma_check check) {
        auto decoder = std::unique_ptr<BlockDecoder>(new BlockDecoder(file));
        ASSIGN_OR_RETURN(const bool there, readHeader(*file, at, check, decoder->header_));
        if (!there) return damaged(*file, at, "no block where one should be");
        decoder->memory_ = lzma_raw_decoder_memusage(decoder->header_.filters.data());
        if (decoder->memory_ > mostMemory)
            return fail(Errc::unsupported,
                        "compressed with a dictionary too big to be kept while it is read: "
                        "decompress it with `xz -d` first",
                        file->where(at));
        if (lzma_block_decoder(&decoder->stream_, &decoder->header_.block) != LZMA_OK)
            return damaged(*file, at, "a block's filters");
        decoder->next_ = at + decoder->header_.block.header_size;
        return decoder;
    }
    ~BlockDecoder() { lzma_end(&stream_); }
    BlockDecoder(const BlockDecoder&) = delete;
    BlockDecoder& operator=(const BlockDecoder&) = delete;

    [[nodiscard]] bool finished() const { return finished_; }
    [[nodiscard]] std::uint64_t position() const { return next_ - stream_.avail_in; }
    [[nodiscard]] std::uint64_t memory() const { return memory_; }

    /// Fewer than `out` takes at the end, and before damage.
    Result<std::size_t> decode(std::span<std::byte> out) {
        stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
        stream_.avail_out = out.size();
        while (!finished_) {
            if (stream_.avail_in == 0) {
                ASSIGN_OR_RETURN(const std::size_t got, file_->read(next_, input_));
                next_ += got;
                stream_.next_in = reinterpret_cast<const std::uint8_t*>(input_.data());
                stream_.avail_in = got;
            }
            const bool ended = stream_.avail_in == 0;
            const std::size_t before = stream_.avail_out;
            const lzma_ret outcome = lzma_code(&stream_, ended ? LZMA_FINISH : LZMA_RUN);
            finished_ = outcome == LZMA_STREAM_END;
            if (finished_ || stream_.avail_out == 0) break;
            if (outcome == LZMA_OK && !(ended && stream_.avail_out == before)) continue;
            if (stream_.avail_out < out.size()) break;  // it fails again when asked for more
            if (ended)
                return fail(Errc::truncated, "the compressed stream is cut off",
                            file_->where(position()));
            return damaged(*file_, position(), "a block's content");
        }
        return out.size() - stream_.avail_out;
    }

private:
    explicit BlockDecoder(std::shared_ptr<const Source> file) : file_(std::move(file)) {}
    std::shared_ptr<const Source> file_;
    BlockHeader header_;
    lzma_stream stream_ = LZMA_STREAM_INIT;
    std::uint64_t next_ = 0;  ///< offset of the first byte that is not in `input_`
    std::uint64_t memory_ = 0;
    bool finished_ = false;
    std::array<std::byte, inputSize> input_{};
};

/// A block by itself.
class OneBlock final : public ForwardDecoder {
public:
    explicit OneBlock(BlockDecoder& block) : block_(block) {}
    [[nodiscard]] Result<std::size_t> decode(std::span<std::byte> out) override {
        return block_.decode(out);
    }
    [[nodiscard]] std::uint64_t memory() const override { return block_.memory(); }

private:
    BlockDecoder& block_;
};

class Decoder final : public ForwardDecoder {
public:
    Decoder(std::shared_ptr<const Source> file, const std::vector<XzBlock>& blocks,
            std::size_t first)
        : file_(std::move(file)), blocks_(blocks), next_(first) {}

    [[nodiscard]] Result<std::size_t> decode(std::span<std::byte> out) override {
        std::size_t done = 0;
        while (done < out.size() && (block_ || next_ < blocks_.size())) {
            if (!block_) {
                const XzBlock& block = blocks_[next_];
                auto opened = BlockDecoder::create(file_, block.file, block.check);
                if (!opened && done > 0) return done;
                if (!opened) return std::unexpected(opened.error());
                block_ = *std::move(opened);
                left_ = block.size;
                ++next_;
            }
            const auto want =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, out.size() - done));
            const auto got = block_->decode(out.subspan(done, want));
            if (!got && done > 0) return done;
            if (!got) return got;
            done += *got;
            left_ -= *got;
            if (left_ == 0) {
                if (blocks_[next_ - 1].whole) TRY(checkEnd());
                block_.reset();
            } else if (*got == 0) {
                return fail(Errc::malformed, "a block is shorter than the index says",
                            file_->where(block_->position()));
            }
        }
        return done;
    }
    [[nodiscard]] std::uint64_t memory() const override {
        return sizeof(BlockDecoder) + (block_ ? block_->memory() : 0);
    }

private:
    /// The check behind a block is looked at only when its end is asked for.
    Result<void> checkEnd() {
        std::array<std::byte, 1> more{};
        ASSIGN_OR_RETURN(const std::size_t got, block_->decode(more));
        if (got > 0)
            return fail(Errc::malformed, "a block is longer than the index says",
                        file_->where(block_->position()));
        return {};
    }

    std::shared_ptr<const Source> file_;
    const std::vector<XzBlock>& blocks_;
    std::size_t next_;
    std::unique_ptr<BlockDecoder> block_;
    std::uint64_t left_ = 0;  ///< of the content of block_
};

struct IndexDeleter {
    void operator()(lzma_index* index) const { lzma_index_end(index, nullptr); }
};

/// Reads the stream that ends at `end`; the blocks' offsets in the content count from the stream's
/// start. `end` becomes where it begins.
Result<std::vector<XzBlock>> readStream(const Source& file, std::uint64_t& end) {
    if (end < 2 * LZMA_STREAM_HEADER_SIZE) return damaged(file, 0, "no whole stream");
    const std::uint64_t footerAt = end - LZMA_STREAM_HEADER_SIZE;
    ASSIGN_OR_RETURN(const SharedBytes footer, file.load(footerAt, LZMA_STREAM_HEADER_SIZE));
    lzma_stream_flags flags{};
    if (lzma_stream_footer_decode(&flags, raw(footer)) != LZMA_OK)
        return damaged(file, footerAt, "the end mark");
    if (flags.backward_size > footerAt - LZMA_STREAM_HEADER_SIZE)
        return damaged(file, footerAt, "the size of the index");
    const std::uint64_t indexAt = footerAt - flags.backward_size;
    ASSIGN_OR_RETURN(const SharedBytes packed, file.load(indexAt, flags.backward_size));
    lzma_index* read = nullptr;
    std::uint64_t limit = mostIndexMemory;
    std::size_t used = 0;
    const lzma_ret outcome =
        lzma_index_buffer_decode(&read, &limit, nullptr, raw(packed), &used, packed.size());
    const std::unique_ptr<lzma_index, IndexDeleter> index(read);
    if (outcome == LZMA_MEMLIMIT_ERROR)
        return fail(Errc::limit, "more blocks than can be listed", file.where(indexAt));
    if (outcome != LZMA_OK) return damaged(file, indexAt, "the index");
    const std::uint64_t blocksSize = lzma_index_total_size(index.get());
    if (blocksSize > indexAt - LZMA_STREAM_HEADER_SIZE)
        return damaged(file, indexAt, "an index of more than there is");
    const std::uint64_t start = indexAt - blocksSize - LZMA_STREAM_HEADER_SIZE;
    ASSIGN_OR_RETURN(const SharedBytes header, file.load(start, LZMA_STREAM_HEADER_SIZE));
    lzma_stream_flags first{};
    if (lzma_stream_header_decode(&first, raw(header)) != LZMA_OK ||
        lzma_stream_flags_compare(&first, &flags) != LZMA_OK)
        return damaged(file, start, "a stream's header");
    std::vector<XzBlock> blocks;
    blocks.reserve(static_cast<std::size_t>(lzma_index_block_count(index.get())));
    lzma_index_iter entry;
    lzma_index_iter_init(&entry, index.get());
    while (lzma_index_iter_next(&entry, LZMA_INDEX_ITER_NONEMPTY_BLOCK) == 0) {
        if (entry.block.uncompressed_size / mostRatio > entry.block.unpadded_size)
            return damaged(file, indexAt, "a block of more than its bytes can hold");
        blocks.push_back({start + entry.block.compressed_stream_offset,
                          entry.block.uncompressed_stream_offset, entry.block.uncompressed_size,
                          flags.check, true});
    }
    end = start;
    return blocks;
}

Result<std::uint64_t> withoutPadding(const Source& file, std::uint64_t end) {
    const std::uint64_t look = std::min(end, mostPadding);
    ASSIGN_OR_RETURN(const SharedBytes tail, file.load(end - look, look));
    std::uint64_t padding = 0;
    while (padding + 4 <= look &&
           allZero(tail.span().subspan(static_cast<std::size_t>(look - padding - 4), 4)))
        padding += 4;
    return end - padding;
}

Result<XzBlocks> readIndices(const Source& file) {
    std::vector<std::vector<XzBlock>> streams;  // the last one first
    std::uint64_t end = file.size();
    while (end > 0) {
        ASSIGN_OR_RETURN(end, withoutPadding(file, end));
        ASSIGN_OR_RETURN(auto blocks, readStream(file, end));
        streams.push_back(std::move(blocks));
    }
    XzBlocks all;
    for (const auto& stream : std::views::reverse(streams)) {
        const std::uint64_t base = all.size();
        for (XzBlock block : stream) {
            block.content += base;
            if (block.content > mostContent) return damaged(file, 0, "impossible sizes");
            all.blocks.push_back(block);
        }
    }
    return all;
}

/// From block to block, without an index; `why` it is not used.
Result<XzBlocks> walk(const std::shared_ptr<const Source>& file, const Error& why) {
    ASSIGN_OR_RETURN(const SharedBytes header, file->load(0, LZMA_STREAM_HEADER_SIZE));
    lzma_stream_flags flags{};
    if (lzma_stream_header_decode(&flags, raw(header)) != LZMA_OK)
        return damaged(*file, 0, "the header");
    XzBlocks all;
    all.damage = why;
    for (std::uint64_t at = LZMA_STREAM_HEADER_SIZE; all.size() <= mostContent;) {
        BlockHeader block;
        const auto there = readHeader(*file, at, flags.check, block);
        if (!there) all.damage = there.error();
        if (!there || !*there) break;
        const lzma_vli content = block.block.uncompressed_size;
        const lzma_vli stored = lzma_block_total_size(&block.block);
        const bool known = content != LZMA_VLI_UNKNOWN && stored != LZMA_VLI_UNKNOWN &&
                           stored != 0 && stored <= file->size() - at &&
                           content / mostRatio <= stored;
        if (known) {
            if (content > 0) all.blocks.push_back({at, all.size(), content, flags.check, true});
            at += stored;
            continue;
        }
        ASSIGN_OR_RETURN(const auto decoder, BlockDecoder::create(file, at, flags.check));
        OneBlock one(*decoder);
        const std::uint64_t size = measure(one, all.damage);
        const bool whole = decoder->finished();
        if (size > 0) all.blocks.push_back({at, all.size(), size, flags.check, whole});
        if (!whole) break;
        at = decoder->position();
    }
    if (all.blocks.empty()) return std::unexpected(*all.damage);
    return all;
}

}  // namespace

Result<XzBlocks> findXzBlocks(const std::shared_ptr<const Source>& file) {
    auto indexed = readIndices(*file);
    if (indexed) return indexed;
    return walk(file, indexed.error());
}

std::unique_ptr<ForwardDecoder> xzDecoder(const std::shared_ptr<const Source>& file,
                                          const std::vector<XzBlock>& blocks, std::size_t first) {
    return std::make_unique<Decoder>(file, blocks, first);
}

}  // namespace icecore
