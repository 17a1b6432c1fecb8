// CodeView's symbol records, one after another.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bytes/cursor.h"

namespace icecore::pdb {

struct SymbolRecord {
    std::uint64_t offset = 0;  ///< in the stream, of its length field
    std::uint64_t next = 0;    ///< of the record behind it
    std::uint16_t kind = 0;
    ByteView content;  ///< behind the kind
};

/// The record at `offset`; nothing at the end, or where its length leads out of `stream`. `next`
/// is always larger than `offset`.
inline std::optional<SymbolRecord> symbolAt(ByteView stream, std::uint64_t offset) {
    constexpr std::uint64_t lengthSize = 2, kindSize = 2;
    Cursor cursor(stream.slice(offset));
    const std::uint16_t length = cursor.u16();
    const std::uint16_t kind = cursor.u16();
    if (!cursor.ok() || length < kindSize || length > cursor.remaining() + kindSize)
        return std::nullopt;
    return SymbolRecord{offset, offset + lengthSize + length, kind,
                        stream.slice(offset + lengthSize + kindSize, length - kindSize)};
}

/// The content's fixed part, and the text up to the NUL behind it.
template <class T>
std::optional<T> fixedPart(const SymbolRecord& record, std::string_view* name = nullptr) {
    Cursor cursor(record.content);
    const T value = cursor.structure<T>();
    if (!cursor.ok()) return std::nullopt;
    if (name != nullptr) {
        // Some writers leave out the terminator of a name that fills its record.
        const ByteView rest = record.content.slice(sizeof(T));
        const std::string_view text(reinterpret_cast<const char*>(rest.data()), rest.size());
        *name = text.substr(0, text.find('\0'));
    }
    return value;
}

}  // namespace icecore::pdb
