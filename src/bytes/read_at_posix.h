// Reading a descriptor at an offset, until all of it is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"

namespace icecore {

/// How far a read came. Less than was asked for and no `error`: the file ends there.
struct ReadAt {
    std::size_t bytes = 0;
    int error = 0;  ///< errno of what stopped it
};

/// Fills `out` with the bytes from `offset` on. Does not move the descriptor's position, so that
/// threads can share one.
ReadAt readAt(int file, std::uint64_t offset, std::span<std::byte> out);

/// The same where less is an error, which `name` stands in: `truncated` where the file ends.
Result<void> readAllAt(int file, std::uint64_t offset, std::span<std::byte> out,
                       const std::string& name);

}  // namespace icecore
