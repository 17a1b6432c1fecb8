#include "unwind/walk_memory.h"

#include <array>

#include "bytes/cursor.h"

namespace icecore {

std::optional<std::uint64_t> WalkMemory::load(std::uint64_t address, std::size_t size) {
    const auto inWindow = [&] {
        return address >= windowAt_ && address - windowAt_ < window_.size() &&
               window_.size() - (address - windowAt_) >= size;
    };
    const auto decode = [&](std::span<const std::byte> bytes) {
        Cursor cursor{ByteView(bytes)};
        return cursor.unsignedOf(size);
    };
    if (!inWindow()) {
        if (const auto fresh = dump_.window(address); fresh.size() >= size) {
            windowAt_ = address;
            window_ = fresh;
        }
    }
    if (inWindow()) return decode(window_.subspan(static_cast<std::size_t>(address - windowAt_)));
    std::array<std::byte, 8> raw;
    if (size > raw.size()) return std::nullopt;
    const auto bytes = std::span(raw).first(size);
    if (dump_.read(address, bytes).bytes == size || completed_.read(address, bytes).bytes == size)
        return decode(bytes);
    return std::nullopt;
}

Absence WalkMemory::whyNot(std::uint64_t address) const {
    std::array<std::byte, 1> probe;
    const ReadOutcome outcome = dump_.read(address, probe);
    return outcome.bytes == 1 ? Absence::none : outcome.stopped;
}

}  // namespace icecore
