#include "formats/kdump/page_source.h"

#include <algorithm>

#include "base/text.h"

namespace icecore::kdump {

Result<BlockSource::Place> PageSource::locate(std::uint64_t offset) const {
    const std::uint64_t page = offset / shape_.blockSize;
    ASSIGN_OR_RETURN(const PageDescriptor descriptor, descriptorOf(page));
    // Pages of the same content may share their bytes: all zero pages do.
    return Place{descriptor.offset, Range::ofSize(page * shape_.blockSize, shape_.blockSize)};
}

Result<void> PageSource::unpack(const Place& place, std::span<std::byte> out) const {
    ASSIGN_OR_RETURN(const PageDescriptor descriptor,
                     descriptorOf(place.content.begin() / shape_.blockSize));
    if (descriptor.size > 2 * shape_.blockSize)
        return fail(Errc::malformed, "a page packed into more bytes than two",
                    file_->where(descriptor.offset));
    ASSIGN_OR_RETURN(const auto packed, loadPacked(*file_, descriptor.offset, descriptor.size));
    ASSIGN_OR_RETURN(const std::size_t got, unpackBlock(codecOf(descriptor.flags), packed, out));
    if (got != out.size())
        return fail(Errc::malformed, "a page that is not a whole one",
                    file_->where(descriptor.offset));
    return {};
}

Result<PageDescriptor> PageSource::descriptorOf(std::uint64_t page) const {
    if (!pages_.has(page)) return fail(Errc::internal, "a page that is not in the file", hex(page));
    return table_.at(pages_.rank(page));
}

std::uint64_t PageBits::endOfFirst(std::uint64_t count) const {
    // A page's rank never falls: the least page that has `count` before it.
    std::uint64_t low = first_;
    std::uint64_t high = std::min(end_, bitmap_.size() * 8);
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (rank(middle) >= count)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

}  // namespace icecore::kdump
