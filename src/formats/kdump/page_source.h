// The pages of a kdump file.
#pragma once

#include <bit>
#include <vector>

#include "bytes/block_source.h"
#include "formats/kdump/page_table.h"

namespace icecore::kdump {

/// The bits of the pages in the file, and which descriptor each has.
class PageBits {
public:
    PageBits() = default;
    /// Pages [first, end) of the bitmap count; end is at most eight times the bytes.
    PageBits(SharedBytes bitmap, std::uint64_t first, std::uint64_t end)
        : bitmap_(std::move(bitmap)), first_(first), end_(end) {
        for (std::uint64_t byte = 0; byte < bitmap_.size(); ++byte) {
            if (byte % bytesPerCount == 0) before_.push_back(total_);
            total_ += static_cast<unsigned>(std::popcount(bits(byte)));
        }
    }
    [[nodiscard]] bool has(std::uint64_t page) const {
        return page >= first_ && page < end_ && ((bits(page / 8) >> (page % 8)) & 1U) != 0;
    }
    /// How many pages of the file stand before this one.
    [[nodiscard]] std::uint64_t rank(std::uint64_t page) const {
        const std::uint64_t byte = page / 8;
        const std::uint64_t block = byte / bytesPerCount;
        std::uint64_t sum = before_[static_cast<std::size_t>(block)];
        for (std::uint64_t at = block * bytesPerCount; at < byte; ++at)
            sum += static_cast<unsigned>(std::popcount(bits(at)));
        const unsigned below = bits(byte) & ((1U << (page % 8)) - 1U);
        return sum + static_cast<unsigned>(std::popcount(below));
    }
    [[nodiscard]] std::uint64_t total() const { return total_; }
    /// The number behind that of the last of the file's first `count` pages.
    [[nodiscard]] std::uint64_t endOfFirst(std::uint64_t count) const;

private:
    static constexpr std::uint64_t bytesPerCount = 64;
    /// Byte `byte` without pages that do not count.
    [[nodiscard]] unsigned bits(std::uint64_t byte) const {
        unsigned value = std::to_integer<unsigned>(bitmap_.span()[static_cast<std::size_t>(byte)]);
        const std::uint64_t page = byte * 8;
        if (page < first_) {
            if (first_ - page >= 8) return 0;
            value &= 0xffU << (first_ - page);
        }
        if (page + 8 > end_) {
            if (page >= end_) return 0;
            value &= (1U << (end_ - page)) - 1U;
        }
        return value & 0xffU;
    }
    SharedBytes bitmap_;
    std::uint64_t first_ = 0, end_ = 0;
    std::vector<std::uint64_t> before_;  ///< pages before each block of bytes
    std::uint64_t total_ = 0;
};

struct Shape {
    std::uint64_t blockSize = 0;
    std::uint64_t descriptors = 0;  ///< offset of the first one
    std::uint64_t endPage = 0;
};

/// Physical addresses as offsets: each page is a block.
class PageSource final : public BlockSource {
public:
    PageSource(std::shared_ptr<const Source> file, const Shape& shape, PageBits pages)
        : file_(std::move(file)),
          shape_(shape),
          pages_(std::move(pages)),
          table_(file_, shape.descriptors) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return shape_.endPage * shape_.blockSize; }
    [[nodiscard]] const PageBits& pages() const { return pages_; }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override;
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const override;

private:
    [[nodiscard]] Result<PageDescriptor> descriptorOf(std::uint64_t page) const;
    std::shared_ptr<const Source> file_;
    Shape shape_;
    PageBits pages_;
    PageTable table_;
};

}  // namespace icecore::kdump
