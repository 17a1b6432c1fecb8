// Where the stack around a stack pointer ends.
#pragma once

#include <optional>

#include "model/process.h"

namespace icecore {

/// From `sp` to the end of the stack it lies in. The thread's own idea of its stack (`hint`) and
/// the memory region limit each other; without regions what is readable in one piece counts. A
/// stack pointer in a guard page or just below belongs to the stack above it: a stack overflow.
/// Empty when nothing there looks like a stack.
Range stackFrom(const Process& process, std::uint64_t sp, std::optional<Range> hint);

}  // namespace icecore
