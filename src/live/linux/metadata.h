// What /proc tells of a process besides its memory.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/issue.h"
#include "live/linux/guardian.h"
#include "live/linux/target.h"
#include "model/snapshot.h"

namespace icecore::live {

/// What is looked up while the target still runs: it changes rarely, and takes time.
struct EarlyData {
    SystemInfo system;
    std::vector<Attachment> attachments;
    std::map<pid_t, Thread> threads;  ///< names, states, times; registers come later
};
EarlyData gatherEarly(const Target& target);

/// One thread's line of the above.
Thread describeThread(pid_t process, pid_t thread);

/// Everything about the process that needs no stop: names, ids, times, arguments, environment.
void describeProcess(const Target& target, Process& process);

/// The threads as they stand, and the exception if one of them is about to die.
/// `records` are the guardian's, or a copy of them.
void addThreads(const Guardian& guardian, std::span<const ThreadRecord> records,
                const EarlyData& early, Process& process, Issues& issues);

/// Stack ranges: from each stack pointer to the end of what is that thread's.
void addStackRanges(Process& process);

/// Open descriptors of the process; the first 65 536 of them.
Listing<Handle> listHandles(pid_t process);

/// Where a snapshot of a running process comes from; its type and consistency are the caller's.
Provenance liveProvenance(const Target& target, TimePoint time);

}  // namespace icecore::live
