#include "bytes/cursor.h"

#include "base/range.h"

namespace icecore {

std::uint64_t Cursor::unsignedOf(std::size_t size) {
    switch (size) {
    case 1: return u8();
    case 2: return u16();
    case 4: return u32();
    case 8: return u64();
    default: failed_ = true; return 0;
    }
}

std::uint64_t Cursor::uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint8_t byte = u8();
        if (failed_) return 0;
        if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) return value;
    }
}

std::int64_t Cursor::sleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const std::uint8_t byte = u8();
        if (failed_) return 0;
        if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) != 0) continue;
        const unsigned bits = shift + 7;
        if (bits < 64 && (byte & 0x40U) != 0) value |= ~std::uint64_t{0} << bits;
        return static_cast<std::int64_t>(value);
    }
}

ByteView Cursor::bytes(std::uint64_t size) {
    const std::size_t from = position_;
    if (!take(size)) return view_.slice(view_.size());
    return view_.slice(from, size);
}

std::string_view Cursor::cString() {
    if (failed_ || atEnd()) {
        failed_ = true;
        return {};
    }
    const auto* start = reinterpret_cast<const char*>(view_.data()) + position_;
    const void* nul = std::memchr(start, 0, static_cast<std::size_t>(remaining()));
    if (nul == nullptr) {
        failed_ = true;
        return {};
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(nul) - start);
    position_ += length + 1;
    return {start, length};
}

void Cursor::align(std::uint64_t alignment) {
    skip(alignUp(position_, alignment) - position_);
}

void Cursor::seek(std::uint64_t offset) {
    if (failed_ || offset > view_.size()) {
        failed_ = true;
        return;
    }
    position_ = static_cast<std::size_t>(offset);
}

Result<void> Cursor::status(std::string_view what) const {
    if (ok()) return {};
    return fail(Errc::truncated, std::string(what) + " ends too early", view_.where(position_));
}

}  // namespace icecore
