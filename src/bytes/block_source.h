// A source whose content lies in compressed blocks: unpacked when touched, the last ones kept.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "base/range.h"
#include "bytes/source.h"

namespace icecore {

/// Implement `locate` and `unpack`; reading, the cache and its lock are here.
class BlockSource : public Source {
public:
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const final;

    /// The packed bytes of a block. Read, and not looked at through a mapping: all of those that
    /// were touched would count as memory of ours. `truncated` where the file ends before, and
    /// nothing is allocated before that check.
    [[nodiscard]] static Result<std::vector<std::byte>> loadPacked(const Source& file,
                                                                   std::uint64_t offset,
                                                                   std::uint64_t size);

protected:
    /// A block: `key` tells it from all others (blocks of the same content may share one),
    /// `content` are the offsets it covers.
    struct Place {
        std::uint64_t key = 0;
        Range content;
    };
    using Bytes = std::vector<std::byte>;

    /// The block that holds `offset`, which is below size(). Called often and without the lock.
    [[nodiscard]] virtual Result<Place> locate(std::uint64_t offset) const = 0;
    /// The content of a block into `out`, which is exactly place.content.size() bytes.
    [[nodiscard]] virtual Result<void> unpack(const Place& place,
                                              std::span<std::byte> out) const = 0;
    /// Whether a block costs little more to unpack than its own bytes do. Where it is asked for as
    /// a whole it is not kept then: who reads on asks for another.
    [[nodiscard]] virtual bool cheap() const { return true; }

    /// A block that is among those kept; null when it is not.
    [[nodiscard]] std::shared_ptr<const Bytes> kept(std::uint64_t key) const;
    /// Keeps a block: one that was not asked for, but came by.
    void keep(std::uint64_t key, std::shared_ptr<const Bytes> content) const;

private:
    struct Kept {
        std::uint64_t key;
        std::shared_ptr<const Bytes> content;
    };
    [[nodiscard]] Result<std::shared_ptr<const Bytes>> fresh(const Place& place) const;

    mutable std::atomic<std::uint64_t> last_ = UINT64_MAX;  ///< the key asked for before
    mutable std::mutex mutex_;
    mutable std::list<Kept> kept_;  ///< most recently used first
    mutable std::uint64_t keptBytes_ = 0;
};

}  // namespace icecore
