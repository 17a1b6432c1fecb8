// A fixed-size structure out of a file.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "bytes/cursor.h"
#include "bytes/source.h"

namespace icecore {

/// A little-endian structure at an offset; an error that names `what` where the file ends in it.
template <class T>
Result<T> readStructure(const Source& source, std::uint64_t at, std::string_view what) {
    std::array<std::byte, sizeof(T)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, source.read(at, raw));
    if (got < raw.size())
        return fail(Errc::truncated, std::string(what) + " is cut off", source.where(at));
    return Cursor(ByteView(raw)).structure<T>();
}

}  // namespace icecore
