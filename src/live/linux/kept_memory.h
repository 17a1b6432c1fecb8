// Copies of memory that a clone does not carry, made while the target stood still.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/range.h"
#include "bytes/descriptor_posix.h"
#include "memory/address_space.h"

namespace icecore::live {

/// Small copies stay in memory; beyond a limit they go to an unlinked temporary file, so that our
/// own size stays bounded. Filled first, then read from any thread.
class KeptMemory {
public:
    /// Copies what `range` has in `memory`; what is zero there or cannot be read is left out.
    Result<void> keep(Range range, const AddressSpace& memory);
    /// Ready for reading.
    void seal() { map_.seal(); }

    /// The kept ranges inside `within`, ascending.
    [[nodiscard]] std::vector<Range> within(Range within) const;
    /// Reads inside one kept range; how many bytes could be.
    std::size_t read(std::uint64_t address, std::span<std::byte> out) const;
    [[nodiscard]] bool empty() const { return map_.empty(); }

private:
    Result<void> keepExtent(Range range, const AddressSpace& memory);
    Result<void> append(std::span<const std::byte> bytes);

    static constexpr std::size_t memoryLimit = std::size_t{8} << 20;
    RangeMap<std::uint64_t> map_;  ///< offset in the store
    std::vector<std::byte> memory_;
    Descriptor file_;
    std::uint64_t size_ = 0;
};

}  // namespace icecore::live
