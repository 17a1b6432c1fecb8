// Which memory the threads of a process use as stack, and the words in it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/process.h"

namespace icecore {

/// What a plan takes of a stack at most: the youngest 16 MiB and the oldest 64 KiB. A runaway
/// recursion repeats itself in between.
inline constexpr std::uint64_t stackYoungest = 16 << 20, stackOldest = 64 << 10;

/// The stacks in use, per thread from the stack pointer less the ABI's red zone to the end of its
/// mapping; where a thread stands on an alternate signal stack, its own stack as well, from the
/// lowest pointer into it that the signal frame shows. `withArguments` false ends the main stack
/// below the strings of arguments and environment. Ascending, disjoint.
std::vector<Range> threadStacks(const Process& process, bool withArguments);

/// Calls `use` for every aligned pointer-sized word in `ranges` that can be read.
void forEachWord(const Process& process, const std::vector<Range>& ranges,
                 const std::function<void(std::uint64_t)>& use);

/// Calls `use` for every register of every thread.
void forEachRegister(const Process& process, const std::function<void(std::uint64_t)>& use);

}  // namespace icecore
