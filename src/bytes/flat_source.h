// What makedumpfile makes of a dump that goes into a pipe (its -F), as the file it stands for.
// Source: makedumpfile's makedumpfile.h and IMPLEMENTATION, as descriptions of the layout.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "bytes/source.h"

namespace icecore {

// A header of 4096 bytes, then records of offset, size and bytes, the last with offset and size -1.
// All numbers are big-endian.
inline constexpr std::string_view flatSignature = "makedumpfile";
inline constexpr std::uint64_t flatHeaderSize = 4096, flatNumbersAt = 16, flatRecordSize = 16;

bool isFlattened(const Source& source);
/// Reads the headers of all records. Of a file that was cut off, the records that are whole count,
/// and its issues say so (imperfect.h).
Result<std::shared_ptr<const Source>> openFlattened(std::shared_ptr<const Source> file);

}  // namespace icecore
