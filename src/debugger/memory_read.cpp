#include "debugger/memory_read.h"

#include <algorithm>

#include "base/text.h"

namespace icecore::debugger {

PatchyBytes::PatchyBytes(const AddressSpace& memory, std::uint64_t address, std::size_t size)
    : bytes_(size), known_(size, false) {
    std::size_t at = 0;
    while (at < size) {
        if (address + at < address) break;  // past the end of the address space
        const std::size_t count = memory.read(address + at, std::span(bytes_).subspan(at)).bytes;
        std::fill_n(known_.begin() + static_cast<std::ptrdiff_t>(at), count, true);
        read_ += count;
        at += count + 1;  // the byte that could not be read stays unknown
    }
}

std::optional<std::uint64_t> PatchyBytes::integer(std::size_t offset, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
        const auto byte = at(offset + i);
        if (!byte) return std::nullopt;
        value = value << 8U | *byte;
    }
    return value;
}

char textColumn(std::optional<std::uint8_t> byte) {
    if (!byte) return '?';
    return *byte >= 0x20 && *byte < 0x7f ? static_cast<char>(*byte) : '.';
}

std::string valuesText(const PatchyBytes& bytes, std::size_t offset, std::size_t width,
                       std::size_t unit, bool text) {
    std::string line;
    std::string column;
    for (std::size_t i = 0; i < width; i += unit) {
        const bool middle = unit == 1 && i == 8;
        const bool there = offset + i < bytes.size();
        if (i > 0) line += middle && there ? '-' : ' ';
        const auto digits = static_cast<int>(unit * 2);
        if (!there) {
            line.append(unit == 8 ? 17 : unit * 2, ' ');
        } else if (const auto value = bytes.integer(offset + i, unit)) {
            line += unit == 8 ? hexTicked(*value) : hexDigits(*value, digits);
        } else {
            line += unit == 8 ? std::string("????????`????????") : std::string(unit * 2, '?');
        }
        for (std::size_t b = 0; there && b < unit; ++b)
            column += textColumn(bytes.at(offset + i + b));
    }
    if (text) return line + "  " + column;
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

}  // namespace icecore::debugger
