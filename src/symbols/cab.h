// Cabinet files: how symbol stores compress (".pd_", ".dl_").
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/error.h"

namespace icecore {

/// Unpacks the first file of a cabinet to `target`, which appears only when it is whole. MSZIP, LZX
/// and Quantum, with libmspack. Not checked: whether the content is what was looked for.
Result<void> unpackCabinet(const std::filesystem::path& cabinet,
                           const std::filesystem::path& target);

/// The same in memory, at most `limit` bytes.
Result<std::vector<std::byte>> unpackCabinet(std::span<const std::byte> cabinet,
                                             std::uint64_t limit);

}  // namespace icecore
