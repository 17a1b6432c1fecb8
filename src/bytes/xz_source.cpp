#include "bytes/xz_source.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/xz_blocks.h"

namespace icecore {

namespace {

constexpr std::array<unsigned char, 6> magic = {0xfd, '7', 'z', 'X', 'Z', 0x00};
/// Reading back in a block of more than this is slow enough to be told.
constexpr std::uint64_t slowBlock = std::uint64_t{128} << 20;

class XzSource final : public ForwardSource {
public:
    XzSource(std::shared_ptr<const Source> file, XzBlocks blocks)
        : ForwardSource(std::move(file)), blocks_(std::move(blocks)) {
        if (blocks_.damage) found().loss(*blocks_.damage);
        const auto longest = std::ranges::max_element(blocks_.blocks, {}, &XzBlock::size);
        if (longest != blocks_.blocks.end() && longest->size > slowBlock)
            found().note("compressed in blocks of up to " + humanBytes(longest->size) +
                         ": going back in one begins at its front (`xz -T0` writes small ones)");
    }
    [[nodiscard]] std::uint64_t size() const override { return blocks_.size(); }

protected:
    [[nodiscard]] std::uint64_t placeBefore(std::uint64_t offset) const override {
        return blocks_.blocks[blockBefore(offset)].content;
    }
    [[nodiscard]] Result<std::unique_ptr<ForwardDecoder>> beginAt(
        std::uint64_t place) const override {
        return xzDecoder(file(), blocks_.blocks, blockBefore(place));
    }

private:
    [[nodiscard]] std::size_t blockBefore(std::uint64_t offset) const {
        const auto after = std::ranges::upper_bound(blocks_.blocks, offset, {}, &XzBlock::content);
        return static_cast<std::size_t>(after - blocks_.blocks.begin()) - 1;
    }
    XzBlocks blocks_;
};

}  // namespace

bool isXz(const Source& file) {
    std::array<std::byte, magic.size()> start{};
    const auto got = file.read(0, start);
    return got && *got == start.size() &&
           std::ranges::equal(start, std::as_bytes(std::span(magic)));
}

Result<std::shared_ptr<const Source>> openXz(std::shared_ptr<const Source> file) {
    ASSIGN_OR_RETURN(XzBlocks blocks, findXzBlocks(file));
    return std::make_shared<XzSource>(std::move(file), std::move(blocks));
}

}  // namespace icecore
