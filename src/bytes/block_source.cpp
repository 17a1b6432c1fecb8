#include "bytes/block_source.h"

#include <algorithm>
#include <cstring>

namespace icecore {

namespace {

/// Unpacked blocks kept, by size and by number: the list is searched from the front.
constexpr std::uint64_t cacheBytes = std::uint64_t{16} << 20;
constexpr std::size_t cacheBlocks = 64;

}  // namespace

Result<std::size_t> BlockSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size() && offset < size() && done < size() - offset) {
        const std::uint64_t at = offset + done;
        ASSIGN_OR_RETURN(const Place place, locate(at));
        if (!place.content.contains(at))
            return fail(Errc::internal, "a block that does not hold what it was asked for",
                        where(at));
        const auto inside = static_cast<std::size_t>(at - place.content.begin());
        const auto size = static_cast<std::size_t>(place.content.size());
        const std::size_t count = std::min(out.size() - done, size - inside);
        auto content = kept(place.key);
        // Asked for twice in a row it is one that many places share, as all zero pages do.
        const bool shared = last_.exchange(place.key, std::memory_order_relaxed) == place.key;
        if (!content && count == size && cheap() && !shared) {
            TRY(unpack(place, out.subspan(done, count)));
        } else {
            if (!content) {
                ASSIGN_OR_RETURN(content, fresh(place));
            }
            std::memcpy(out.data() + done, content->data() + inside, count);
        }
        done += count;
    }
    return done;
}

Result<std::shared_ptr<const BlockSource::Bytes>> BlockSource::fresh(const Place& place) const {
    // Outside the lock: threads unpack different blocks at the same time. Two that want the same
    // one do it twice, which is rare and harmless.
    Bytes bytes(static_cast<std::size_t>(place.content.size()));
    TRY(unpack(place, bytes));
    auto content = std::make_shared<const Bytes>(std::move(bytes));
    keep(place.key, content);
    return content;
}

Result<BlockSource::Bytes> BlockSource::loadPacked(const Source& file, std::uint64_t offset,
                                                   std::uint64_t size) {
    const auto end = checkedAdd(offset, size);
    if (!end || *end > file.size())
        return fail(Errc::truncated, "a compressed block is cut off", file.where(offset));
    Bytes packed(static_cast<std::size_t>(size));
    ASSIGN_OR_RETURN(const std::size_t got, file.read(offset, packed));
    if (got < packed.size())
        return fail(Errc::truncated, "the file became shorter while it was read",
                    file.where(offset));
    return packed;
}

std::shared_ptr<const BlockSource::Bytes> BlockSource::kept(std::uint64_t key) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(kept_, key, &Kept::key);
    if (found == kept_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, found);
    return kept_.front().content;
}

void BlockSource::keep(std::uint64_t key, std::shared_ptr<const Bytes> content) const {
    const std::lock_guard lock(mutex_);
    keptBytes_ += content->size();
    kept_.push_front({key, std::move(content)});
    while ((keptBytes_ > cacheBytes || kept_.size() > cacheBlocks) && kept_.size() > 2) {
        keptBytes_ -= kept_.back().content->size();
        kept_.pop_back();
    }
}

}  // namespace icecore
