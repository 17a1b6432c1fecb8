// A crash that the program has caught itself.
#pragma once

#include <optional>

#include "model/snapshot.h"
#include "unwind/unwinder.h"

namespace icecore {

/// Many programs have a handler for their own crash: it writes a log, asks a helper to take a dump,
/// or waits for a debugger. A dump taken meanwhile records no exception. But the kernel has put the
/// signal's siginfo and the registers of that moment on the stack of the thread that crashed, and
/// they make the very exception that a dump of the uncaught crash would have had. Nothing when no
/// thread stands in a handler of a signal that tells of a defect. Linux, x86-64 and arm64.
std::optional<Exception> findCaughtSignal(const Process& process, const Unwinder& unwinder);

/// Gives a process without an exception the one of findCaughtSignal, and notes where it is from.
void adoptCaughtSignal(Snapshot& snapshot, const Unwinder& unwinder);

}  // namespace icecore
