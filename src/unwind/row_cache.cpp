#include "unwind/row_cache.h"

namespace icecore {

namespace {
/// Fibonacci hashing: neighbouring addresses land far apart.
std::size_t slotOf(std::uint64_t address) {
    return static_cast<std::size_t>((address * 0x9e3779b97f4a7c15ULL) >> 50);
}
}  // namespace

RowCache::RowCache() : slots_(std::make_unique<std::atomic<const Kept*>[]>(slotCount)) {
    static_assert(slotCount == std::size_t{1} << (64 - 50));
}

RowCache::~RowCache() {
    for (std::size_t i = 0; i < slotCount; ++i)
        delete slots_[i].load(std::memory_order_relaxed);
}

const UnwindRow* RowCache::find(std::uint64_t address) const {
    const std::size_t first = slotOf(address);
    for (std::size_t i = 0; i < probes; ++i) {
        const Kept* kept = slots_[(first + i) % slotCount].load(std::memory_order_acquire);
        if (kept == nullptr) return nullptr;
        if (kept->address == address) return &kept->row;
    }
    return nullptr;
}

const UnwindRow* RowCache::add(std::uint64_t address, const UnwindRow& row) {
    auto fresh = std::make_unique<const Kept>(Kept{address, row});
    const std::size_t first = slotOf(address);
    for (std::size_t i = 0; i < probes; ++i) {
        const Kept* present = nullptr;
        if (slots_[(first + i) % slotCount].compare_exchange_strong(
                present, fresh.get(), std::memory_order_acq_rel, std::memory_order_acquire))
            return &fresh.release()->row;
        if (present->address == address) return &present->row;  // another thread was faster
    }
    return nullptr;
}

}  // namespace icecore
