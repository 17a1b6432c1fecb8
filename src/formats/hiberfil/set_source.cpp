#include "formats/hiberfil/set_source.h"

#include <algorithm>

#include "bytes/xpress.h"
#include "formats/hiberfil/layout.h"

namespace icecore::hiberfil {

Result<BlockSource::Place> SetSource::locate(std::uint64_t offset) const {
    const std::uint64_t number = offset / slot;
    const Set& set = sets_[static_cast<std::size_t>(number)];
    const Range content = Range::ofSize(number * slot, set.pages * pageSize);
    if (!content.contains(offset))
        return fail(Errc::internal, "no page of this set", file_->where(set.file));
    return Place{number, content};
}

Result<void> SetSource::unpack(const Place& place, std::span<std::byte> out) const {
    const Set& set = sets_[static_cast<std::size_t>(place.key)];
    ASSIGN_OR_RETURN(const auto packed, loadPacked(*file_, set.file, set.packed));
    if (packed.size() == out.size()) {
        std::ranges::copy(packed, out.begin());
        return {};
    }
    const auto got = set.huffman ? unpackXpressHuffman(packed, out) : unpackXpress(packed, out);
    if (!got || *got < out.size())
        return fail(Errc::malformed, "a set of pages that cannot be unpacked",
                    file_->where(set.file));
    return {};
}

}  // namespace icecore::hiberfil
