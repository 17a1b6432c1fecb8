// Reading memory byte by byte, so that every hole shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "memory/address_space.h"

namespace icecore::debugger {

/// Bytes of which some may be missing.
class PatchyBytes {
public:
    PatchyBytes(const AddressSpace& memory, std::uint64_t address, std::size_t size);

    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::optional<std::uint8_t> at(std::size_t offset) const {
        if (offset >= bytes_.size() || !known_[offset]) return std::nullopt;
        return static_cast<std::uint8_t>(bytes_[offset]);
    }
    /// A little-endian integer of 1 to 8 bytes; nothing when one of them is missing.
    [[nodiscard]] std::optional<std::uint64_t> integer(std::size_t offset, std::size_t size) const;
    /// Whether nothing at all could be read.
    [[nodiscard]] bool empty() const { return read_ == 0; }

private:
    std::vector<std::byte> bytes_;
    std::vector<bool> known_;
    std::size_t read_ = 0;
};

/// The character for a byte in a dump's text column: itself, '.', or '?' when it is missing.
char textColumn(std::optional<std::uint8_t> byte);

/// The line of a memory listing without address and line end: values of `unit` bytes, `width` bytes
/// in all, then the text column if asked for. Missing values are '?'s.
std::string valuesText(const PatchyBytes& bytes, std::size_t offset, std::size_t width,
                       std::size_t unit, bool text);

}  // namespace icecore::debugger
