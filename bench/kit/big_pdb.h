// A PDB of any size, made: what game engines and browsers have, without having to build one.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace icecore::bench {

struct BigPdb {
    std::uint64_t functions = 0;
    std::uint64_t bytes = 0;         ///< of the file
    std::uint32_t firstAddress = 0;  ///< of the code, relative to the image's base
    std::uint32_t functionSize = 0;  ///< every function has as many bytes of code
    std::uint32_t inlinedFrom = 0;   ///< from here to the function's end a call is inlined
};

/// Writes one of `bytes` bytes or a little more: object files with functions, each with locals, an
/// inlined call and eight lines, a section contribution, a public and a global symbol. Pages of
/// half of the object files lie in reverse order, so that they have to be copied together.
Result<BigPdb> writeBigPdb(const std::string& path, std::uint64_t bytes);

}  // namespace icecore::bench
