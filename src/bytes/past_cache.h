// Reading a large file without filling memory with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "base/error.h"

namespace icecore {

/// Gives the first `size` bytes of a file or block device to `use`, in order, some at a time. They
/// pass by the page cache where the file system can do that, and are dropped from it where it
/// cannot. `truncated` where the file ends before.
Result<void> readPastCache(const std::filesystem::path& path, std::uint64_t size,
                           const std::function<void(std::span<const std::byte>)>& use);

}  // namespace icecore
