// Who waits where, and for whom.
#pragma once

#include <optional>

#include "analysis/crash_case.h"

namespace icecore {

struct Activity {
    std::string text;    ///< "waiting for a mutex"; empty when it cannot be told
    bool waits = false;  ///< it stands still until something happens
    /// The mutex it wants, where the dump shows it beyond doubt.
    std::optional<std::uint64_t> mutex;
    /// The thread it waits for (a mutex' owner, or one to be joined).
    std::optional<std::uint64_t> waitsFor;
    std::string evidence;  ///< of mutex and waitsFor
};

Activity activityOf(const CrashCase& crash, const Thread& thread, const NamedStack& stack);

/// Threads that wait for each other in a circle; each circle once, beginning with its smallest
/// thread id. `activities` are in the order of process.threads.
std::vector<std::vector<std::size_t>> findDeadlocks(const Process& process,
                                                    const std::vector<Activity>& activities);

/// Threads grouped by the program counters of their frames, biggest group first.
std::vector<ThreadGroup> groupThreads(const std::vector<NamedStack>& stacks,
                                      const std::vector<Activity>& activities);

}  // namespace icecore
