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

Result<BlockSource::Bytes> SetSource::unpack(const Place& place) const {
    const Set& set = sets_[static_cast<std::size_t>(place.key)];
    ASSIGN_OR_RETURN(const SharedBytes packed, file_->load(set.file, set.packed));
    Bytes content(static_cast<std::size_t>(place.content.size()));
    if (packed.size() == content.size()) {
        std::ranges::copy(packed.span(), content.begin());
        return content;
    }
    const auto got = set.huffman ? unpackXpressHuffman(packed.span(), content)
                                 : unpackXpress(packed.span(), content);
    if (!got || *got < content.size())
        return fail(Errc::malformed, "a set of pages that cannot be unpacked",
                    file_->where(set.file));
    return content;
}

}  // namespace icecore::hiberfil
