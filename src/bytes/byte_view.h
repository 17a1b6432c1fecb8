// Bounded bytes that know where they come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icecore {

/// A view of bytes, with the name and the offset (or address) of their first byte, for messages.
/// Owns nothing: the bytes and the name must outlive it.
class ByteView {
public:
    constexpr ByteView() = default;
    /// Implicit, as a view of a view is: bytes without a name are bytes all the same.
    // NOLINTNEXTLINE(google-explicit-constructor)
    constexpr ByteView(std::span<const std::byte> bytes, std::string_view name = {},
                       std::uint64_t base = 0)
        : bytes_(bytes), name_(name), base_(base) {}

    [[nodiscard]] constexpr std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] constexpr bool empty() const { return bytes_.empty(); }
    [[nodiscard]] constexpr const std::byte* data() const { return bytes_.data(); }
    [[nodiscard]] constexpr std::span<const std::byte> span() const { return bytes_; }
    [[nodiscard]] constexpr std::string_view name() const { return name_; }
    /// Offset or address of the first byte in its origin.
    [[nodiscard]] constexpr std::uint64_t base() const { return base_; }

    /// The part [offset, offset + size), cut at this view's end; never out of bounds.
    [[nodiscard]] constexpr ByteView slice(std::uint64_t offset,
                                           std::uint64_t size = UINT64_MAX) const {
        if (offset >= bytes_.size()) return {bytes_.last(0), name_, base_ + bytes_.size()};
        const auto from = static_cast<std::size_t>(offset);
        const std::uint64_t left = bytes_.size() - from;
        return {bytes_.subspan(from, static_cast<std::size_t>(size < left ? size : left)), name_,
                base_ + offset};
    }
    /// The part [offset, offset + size), or an error when it does not lie wholly inside.
    [[nodiscard]] Result<ByteView> part(std::uint64_t offset, std::uint64_t size) const;
    /// "NAME at 0x40" for byte `offset` of this view.
    [[nodiscard]] std::string where(std::uint64_t offset = 0) const;

private:
    std::span<const std::byte> bytes_;
    std::string_view name_;
    std::uint64_t base_ = 0;
};

/// Bytes kept alive by whoever owns them: a mapping, a decompressed block, a vector.
class SharedBytes {
public:
    SharedBytes() = default;
    SharedBytes(std::shared_ptr<const void> owner, std::span<const std::byte> bytes)
        : owner_(std::move(owner)), bytes_(bytes) {}
    /// Takes over a container of bytes (std::vector<std::byte>, std::string).
    template <class Container>
    static SharedBytes own(Container container) {
        auto owner = std::make_shared<const Container>(std::move(container));
        const auto bytes = std::as_bytes(std::span(owner->data(), owner->size()));
        return {std::move(owner), bytes};
    }

    [[nodiscard]] std::span<const std::byte> span() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    /// The same bytes read as text.
    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    bool operator==(const SharedBytes& other) const { return text() == other.text(); }

private:
    std::shared_ptr<const void> owner_;
    std::span<const std::byte> bytes_;
};

}  // namespace icecore
