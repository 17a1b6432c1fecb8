// Memory as one walk over one stack reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "memory/address_space.h"

namespace icecore {

/// Not thread-safe: one per walk. Keeps the piece of mapped memory it read last, so that the words
/// of a stack cost no look-up each. Where the dump has nothing the modules' files are asked.
class WalkMemory {
public:
    /// `dump` is the process' memory, `completed` the same backed by the modules' files.
    WalkMemory(const AddressSpace& dump, const AddressSpace& completed)
        : dump_(dump), completed_(completed) {}

    /// An unsigned little-endian integer of 1, 2, 4 or 8 bytes.
    [[nodiscard]] std::optional<std::uint64_t> load(std::uint64_t address, std::size_t size);
    /// Why `load` gave nothing.
    [[nodiscard]] Absence whyNot(std::uint64_t address) const;

private:
    const AddressSpace& dump_;
    const AddressSpace& completed_;
    std::uint64_t windowAt_ = 0;
    std::span<const std::byte> window_;
};

}  // namespace icecore
