#include "live/ram/recorded_memory.h"

#include <algorithm>
#include <thread>

namespace icecore::ram {

namespace {

constexpr std::uint64_t pageSize = 4096;
/// Pieces that a limited rate is kept in, and how often waiting looks whether it is to end.
constexpr std::size_t pacedPiece = std::size_t{256} << 10;
constexpr auto waitStep = std::chrono::milliseconds(50);

/// Joined where they touch and their reasons are the same; of two about the same page one stays.
std::vector<Unread> joined(std::vector<Unread> all) {
    std::ranges::sort(all, {}, [](const Unread& one) { return one.range; });
    std::vector<Unread> result;
    for (Unread& one : all) {
        if (!result.empty() && one.range.begin() < result.back().range.end())
            one.range = Range::between(result.back().range.end(), one.range.end());
        if (one.range.empty()) continue;
        if (!result.empty() && result.back().why == one.why &&
            result.back().range.end() == one.range.begin())
            result.back().range = Range::between(result.back().range.begin(), one.range.end());
        else
            result.push_back(std::move(one));
    }
    return result;
}

}  // namespace

ReadOutcome RecordedMemory::read(std::uint64_t address, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        const std::size_t want =
            rate_ == 0 ? out.size() - done : std::min(out.size() - done, pacedPiece);
        if (rate_ > 0) pace(want);
        const ReadOutcome got = memory_->read(address + done, out.subspan(done, want));
        done += got.bytes;
        if (got.bytes == want) continue;
        // What was never promised to be there is not missing.
        if (got.stopped != Absence::not_mapped) record(address + done);
        return {done, got.stopped};
    }
    return {done, Absence::none};
}

void RecordedMemory::pace(std::uint64_t bytes) const {
    Clock::time_point mine;
    {
        const std::lock_guard lock(mutex_);
        mine = std::max(free_, Clock::now());
        free_ = mine + std::chrono::nanoseconds(bytes * 1'000'000'000 / rate_);
    }
    while (!progress_.cancelled()) {
        const auto now = Clock::now();
        if (now >= mine) return;
        std::this_thread::sleep_for(std::min<Clock::duration>(mine - now, waitStep));
    }
}

void RecordedMemory::record(std::uint64_t address) const {
    // Who reads goes on at the next page.
    Unread one{Range::between(address, alignDown(address, pageSize) + pageSize),
               memory_->explain(address)};
    const std::lock_guard lock(mutex_);
    if (!unread_.empty() && unread_.back().range.end() == one.range.begin() &&
        unread_.back().why == one.why)
        unread_.back().range = Range::between(unread_.back().range.begin(), one.range.end());
    else
        unread_.push_back(std::move(one));
}

std::vector<Unread> RecordedMemory::unread() const {
    const std::lock_guard lock(mutex_);
    return joined(unread_);
}

}  // namespace icecore::ram
