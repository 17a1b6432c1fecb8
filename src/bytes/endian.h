// Loading and storing integers of a given byte order, by memcpy: no alignment, no aliasing.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace icecore {

template <std::integral T>
[[nodiscard]] constexpr T byteSwap(T value) {
    using U = std::make_unsigned_t<T>;
    auto from = static_cast<U>(value);
    U to = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        to = static_cast<U>(static_cast<U>(to << (sizeof(T) > 1 ? 8 : 0)) | (from & 0xffU));
        from = static_cast<U>(from >> (sizeof(T) > 1 ? 8 : 0));
    }
    return static_cast<T>(to);
}

/// `bytes` must hold at least sizeof(T).
template <std::integral T>
[[nodiscard]] T loadInteger(const std::byte* bytes, std::endian order = std::endian::little) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return order == std::endian::native ? value : byteSwap(value);
}

template <std::integral T>
void storeInteger(std::byte* bytes, T value, std::endian order = std::endian::little) {
    if (order != std::endian::native) value = byteSwap(value);
    std::memcpy(bytes, &value, sizeof(T));
}

/// Appends `value` to `out` in the given byte order.
template <std::integral T>
void appendInteger(std::vector<std::byte>& out, T value, std::endian order = std::endian::little) {
    std::byte raw[sizeof(T)];
    storeInteger(raw, value, order);
    out.insert(out.end(), raw, raw + sizeof(T));
}

/// An integer field of an on-disk struct: little-endian, byte-aligned, readable like a number.
template <std::integral T>
class Little {
public:
    Little() = default;
    Little(T value) { *this = value; }  // NOLINT(google-explicit-constructor): reads like a number
    Little& operator=(T value) {
        storeInteger(bytes_, value);
        return *this;
    }
    operator T() const { return loadInteger<T>(bytes_); }  // NOLINT(google-explicit-constructor)

private:
    std::byte bytes_[sizeof(T)] = {};
};
using Le16 = Little<std::uint16_t>;
using Le32 = Little<std::uint32_t>;
using Le64 = Little<std::uint64_t>;
static_assert(sizeof(Le64) == 8 && alignof(Le64) == 1);

/// The bytes of a trivially copyable on-disk struct.
template <class T>
    requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<const std::byte> bytesOf(const T& value) {
    return std::as_bytes(std::span<const T, 1>(&value, 1));
}

}  // namespace icecore
