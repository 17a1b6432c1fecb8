#include "bytes/byte_view.h"

#include "base/range.h"
#include "base/text.h"

namespace icecore {

Result<ByteView> ByteView::part(std::uint64_t offset, std::uint64_t size) const {
    const auto end = checkedAdd(offset, size);
    if (!end || *end > bytes_.size()) {
        return fail(Errc::truncated,
                    hex(size) + " bytes wanted, " +
                        hex(offset < bytes_.size() ? bytes_.size() - offset : 0) + " there",
                    where(offset));
    }
    return slice(offset, size);
}

std::string ByteView::where(std::uint64_t offset) const {
    const std::string place = hex(base_ + offset);
    return name_.empty() ? "at " + place : std::string(name_) + " at " + place;
}

}  // namespace icecore
