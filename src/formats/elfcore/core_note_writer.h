// The notes of a core, made from a Process.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore::elfcore {

/// Receives one note; the content is valid during the call.
using TakeNote = std::function<Result<void>(std::string_view name, std::uint32_t type,
                                            std::span<const std::byte> content)>;

/// Makes all notes in the kernel's order: the thread the dump is about first, with what belongs to
/// the process; then the other threads; then our own. Called twice, to measure and to write, so
/// that 5 000 threads' vector state is never in memory at once: it makes the same both times.
Result<void> forEachNote(const Snapshot& snapshot, const SavePlan& plan, const TakeNote& take);

/// Bytes of a note in the file, padding included.
std::uint64_t noteSize(std::string_view name, std::uint64_t contentSize);

/// Header, name and padding; the content and its padding follow.
std::vector<std::byte> noteStart(std::string_view name, std::uint32_t type,
                                 std::uint64_t contentSize);

}  // namespace icecore::elfcore
