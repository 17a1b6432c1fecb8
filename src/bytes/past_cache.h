// Reading a large file without filling memory with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "base/error.h"

namespace icecore {

/// Takes a piece of a file, which stays as it is while `owner` is held.
using UseOfPiece =
    std::function<void(std::shared_ptr<const std::byte> owner, std::span<const std::byte> bytes)>;

/// Gives the first `size` bytes of a file or block device to `use`, in order, some at a time. They
/// pass by the page cache where the file system can do that, and are dropped from it where it
/// cannot. `memory`: of all its buffers, some of which `use` may keep for a while: what is read may
/// be of the machine whose memory was taken, and its memory the one that buffers are of.
/// `truncated` where the file ends before.
Result<void> readPastCache(const std::filesystem::path& path, std::uint64_t size,
                           std::size_t memory, const UseOfPiece& use);

}  // namespace icecore
