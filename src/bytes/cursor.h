// Reading fields one after another, with one check at the end.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "bytes/byte_view.h"
#include "bytes/endian.h"

namespace icecore {

/// Reads a ByteView front to back. Errors are sticky: after the first read beyond the end every
/// read returns zero and `ok()` is false, so many fields are read and checked once:
///
///     Cursor cursor(view);
///     const auto count = cursor.u32();
///     const auto offset = cursor.u64();
///     TRY(cursor.status("the header"));
class Cursor {
public:
    explicit Cursor(ByteView view, std::endian order = std::endian::little)
        : view_(view), order_(order) {}

    std::uint8_t u8() { return integer<std::uint8_t>(); }
    std::uint16_t u16() { return integer<std::uint16_t>(); }
    std::uint32_t u32() { return integer<std::uint32_t>(); }
    std::uint64_t u64() { return integer<std::uint64_t>(); }
    std::int8_t i8() { return integer<std::int8_t>(); }
    std::int16_t i16() { return integer<std::int16_t>(); }
    std::int32_t i32() { return integer<std::int32_t>(); }
    std::int64_t i64() { return integer<std::int64_t>(); }
    /// An unsigned integer of 1, 2, 4 or 8 bytes; any other size is an error.
    std::uint64_t unsignedOf(std::size_t size);

    /// DWARF's variable-length integers. Bits beyond 64 are dropped; a longer run than ten bytes
    /// of continuation is still consumed to its end, as assemblers may pad.
    std::uint64_t uleb();
    std::int64_t sleb();

    /// A trivially copyable on-disk struct (fields of type Little<…>, bytes).
    template <class T>
        requires(std::is_trivially_copyable_v<T> && alignof(T) == 1)
    T structure() {
        T value{};
        if (take(sizeof(T)))
            std::memcpy(static_cast<void*>(&value), view_.data() + position_ - sizeof(T),
                        sizeof(T));
        return value;
    }

    /// The next `size` bytes; empty, with the error set, when fewer are left.
    ByteView bytes(std::uint64_t size);
    /// Text up to a NUL, which is consumed; an error when there is none.
    std::string_view cString();
    void skip(std::uint64_t size) { (void)take(size); }
    /// Skips to the next multiple of `alignment` counted from the view's start.
    void align(std::uint64_t alignment);
    /// Continues at `offset`; an error beyond the end.
    void seek(std::uint64_t offset);

    [[nodiscard]] std::uint64_t position() const { return position_; }
    [[nodiscard]] std::uint64_t remaining() const { return view_.size() - position_; }
    [[nodiscard]] bool atEnd() const { return remaining() == 0; }
    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] ByteView view() const { return view_; }
    /// How many items of `itemSize` bytes can still follow: what a count from the file is checked
    /// against BEFORE anything is allocated.
    [[nodiscard]] bool canHold(std::uint64_t count, std::uint64_t itemSize) const {
        return itemSize == 0 || count <= remaining() / itemSize;
    }
    /// Success, or `truncated` saying that `what` ends too early and where.
    [[nodiscard]] Result<void> status(std::string_view what) const;

private:
    template <std::integral T>
    T integer() {
        if (!take(sizeof(T))) return 0;
        return loadInteger<T>(view_.data() + position_ - sizeof(T), order_);
    }
    /// Advances by `size`, or fails without moving.
    bool take(std::uint64_t size) {
        if (failed_ || size > remaining()) {
            failed_ = true;
            return false;
        }
        position_ += static_cast<std::size_t>(size);
        return true;
    }

    ByteView view_;
    std::size_t position_ = 0;
    std::endian order_;
    bool failed_ = false;
};

}  // namespace icecore
