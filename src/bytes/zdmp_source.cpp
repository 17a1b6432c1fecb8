// Layout, as seen in files of Comae's DumpIt: "ZDMP", u32 version, u64 size of the content, u32
// size of a block's content, u16 type, u16 format (2 LZNT1); from 0x1000 on "ZBLK", u32 size, u32
// CRC-32 of the stored bytes, and those. A block as long as its content is stored as it is.
#include "bytes/zdmp_source.h"

#include <array>
#include <vector>

#include "bytes/block_source.h"
#include "bytes/crc32.h"
#include "bytes/cursor.h"
#include "bytes/imperfect.h"
#include "bytes/lznt1.h"

namespace icecore {

namespace {

struct Header {
    char magic[4];
    Le32 version;
    Le64 size;
    Le32 blockSize;
    Le16 type, format;
};
static_assert(sizeof(Header) == 24);

struct BlockHeader {
    char magic[4];
    Le32 size, crc;
};
static_assert(sizeof(BlockHeader) == 12);

constexpr std::string_view fileMagic = "ZDMP", blockMagic = "ZBLK";
constexpr std::uint64_t firstBlock = 0x1000;
constexpr std::uint64_t leastBlock = 4096, mostBlock = std::uint64_t{64} << 20;
constexpr std::uint16_t formatLznt1 = 2;

template <class T>
Result<T> structureAt(const Source& file, std::uint64_t at) {
    std::array<std::byte, sizeof(T)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, raw));
    if (got < raw.size()) return fail(Errc::truncated, "ends within a header", file.where(at));
    return Cursor(ByteView(raw)).structure<T>();
}

class ZdmpSource final : public BlockSource, public ImperfectSource {
public:
    ZdmpSource(std::shared_ptr<const Source> file, std::uint64_t size, std::uint64_t blockSize,
               std::vector<std::uint64_t> blocks)
        : file_(std::move(file)), size_(size), blockSize_(blockSize), blocks_(std::move(blocks)) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] Issues issues() const override { return issuesOf(*file_); }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override {
        const std::uint64_t number = offset / blockSize_;
        const Range content =
            Range::ofSize(number * blockSize_, blockSize_).intersect(Range::between(0, size_));
        return Place{number, content};
    }
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const override {
        if (place.key >= blocks_.size())
            return fail(Errc::truncated, "the file ends before this block",
                        where(place.content.begin()));
        const std::uint64_t at = blocks_[static_cast<std::size_t>(place.key)];
        ASSIGN_OR_RETURN(const auto header, structureAt<BlockHeader>(*file_, at));
        ASSIGN_OR_RETURN(const Bytes stored,
                         loadPacked(*file_, at + sizeof(BlockHeader), header.size));
        if (crc32(stored) != header.crc)
            return fail(Errc::malformed, "a block whose checksum is wrong", file_->where(at));
        Bytes whole(static_cast<std::size_t>(blockSize_));  // the last one may hold more
        if (stored.size() == blockSize_) {
            whole = stored;
        } else {
            ASSIGN_OR_RETURN(const std::size_t got, unpackLznt1(stored, whole));
            if (got < out.size())
                return fail(Errc::malformed, "a block is shorter than it should be",
                            file_->where(at));
        }
        std::ranges::copy(std::span(whole).first(out.size()), out.begin());
        return {};
    }

private:
    std::shared_ptr<const Source> file_;
    std::uint64_t size_, blockSize_;
    std::vector<std::uint64_t> blocks_;
};

bool has(const char (&magic)[4], std::string_view wanted) {
    return std::string_view(magic, sizeof magic) == wanted;
}

}  // namespace

bool isZdmp(const Source& file) {
    const auto header = structureAt<Header>(file, 0);
    return header && has(header->magic, fileMagic);
}

Result<std::shared_ptr<const Source>> openZdmp(std::shared_ptr<const Source> file) {
    ASSIGN_OR_RETURN(const auto header, structureAt<Header>(*file, 0));
    const std::uint64_t blockSize = header.blockSize;
    if (header.format != formatLznt1)
        return fail(Errc::unsupported, "packed in another way than LZNT1", file->name());
    if (blockSize < leastBlock || blockSize > mostBlock || header.size > INT64_MAX)
        return fail(Errc::malformed, "blocks of impossible size", file->where(16));
    // The list grows with the blocks that there are, not with those that are promised.
    std::vector<std::uint64_t> blocks;
    const std::uint64_t count = (header.size + blockSize - 1) / blockSize;
    for (std::uint64_t at = firstBlock; blocks.size() < count;) {
        const auto block = structureAt<BlockHeader>(*file, at);
        if (!block || !has(block->magic, blockMagic) || block->size > blockSize ||
            block->size > file->size() - at - sizeof(BlockHeader))
            break;
        blocks.push_back(at);
        at += sizeof(BlockHeader) + block->size;
    }
    if (blocks.empty()) return fail(Errc::truncated, "has no whole block", file->name());
    return std::make_shared<ZdmpSource>(std::move(file), header.size, blockSize, std::move(blocks));
}

}  // namespace icecore
