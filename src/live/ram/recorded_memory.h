// Memory that keeps account of what could not be read, and takes its time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/progress.h"
#include "memory/address_space.h"

namespace icecore::ram {

struct Unread {
    Range range;
    std::string why;
    bool operator==(const Unread&) const = default;
};

/// Passes everything through. Whatever is asked for and promised by the extents, and does not come,
/// is kept by the page with the reason that the memory gives.
class RecordedMemory final : public AddressSpace {
public:
    /// `bytesPerSecond` 0: as fast as it goes. `progress` only tells when to stop waiting.
    RecordedMemory(std::shared_ptr<const AddressSpace> memory, std::uint64_t bytesPerSecond,
                   const Progress& progress)
        : memory_(std::move(memory)), rate_(bytesPerSecond), progress_(progress) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override;
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return memory_->extents(within);
    }
    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        return memory_->explain(address);
    }

    /// What could not be read so far, ascending; neighbours of the same reason joined.
    [[nodiscard]] std::vector<Unread> unread() const;

private:
    void pace(std::uint64_t bytes) const;
    void record(std::uint64_t address) const;

    using Clock = std::chrono::steady_clock;
    std::shared_ptr<const AddressSpace> memory_;
    std::uint64_t rate_;
    const Progress& progress_;
    mutable std::mutex mutex_;
    mutable std::vector<Unread> unread_;  ///< in the order met, which is nearly ascending
    mutable Clock::time_point free_;      ///< when the next bytes may be read
};

}  // namespace icecore::ram
