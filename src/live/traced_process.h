// A running process whose events are seen: threads stop for what was asked for, and stand until the
// caller has looked. One implementation per OS.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "live/capture.h"
#include "memory/address_space.h"
#include "model/process.h"

namespace icecore::live {

/// What threads are to stop for.
struct EventWishes {
    std::uint64_t signals = 0;  ///< bit N-1: signal N, before whoever handles it
    bool deadly = false;        ///< any signal that is about to end the process
    bool exits = false;         ///< the end of the process, while its memory is still there
    bool threads = false;       ///< starts and ends of threads
    /// What it writes to its log stream: standard error (descriptor 2), and the system's log. Every
    /// system call of it then takes some ten microseconds longer.
    bool output = false;
};

enum class ProcessEventKind : std::uint8_t {
    signal,         ///< about to be delivered
    breakpoint,     ///< at a breakpoint, before its instruction
    threadStarted,  ///< before its first instruction
    threadEnded,    ///< on its way out; the process goes on
    exiting,        ///< the process ends
    replaced,       ///< exec: it is another program now; breakpoints are gone
    output,         ///< it has written `text` to its log stream
};

struct ProcessEvent {
    ProcessEventKind kind{};
    std::uint64_t thread = 0;
    int signal = 0;      ///< of `signal`
    int signalCode = 0;  ///< si_code
    bool deadly = false;
    std::optional<std::uint64_t> sender;  ///< pid that sent the signal
    std::uint64_t address = 0;            ///< of `breakpoint`
    int status = 0;                       ///< of the ends: as wait() tells it
    std::string text;                     ///< of `output`, at most 64 KiB
    Registers registers;
};

/// The process is traced while this lives; afterwards it has nothing of us any more. Should we be
/// killed, it loses nothing either: a process of its own does the tracing (see docs/triggers.md).
class TracedProcess {
public:
    virtual ~TracedProcess() = default;
    [[nodiscard]] virtual std::uint64_t pid() const = 0;

    /// The next event within `time`, or nothing. The thread stands until `pass`, or until a
    /// capture made meanwhile is released. Events of several threads come one after the other;
    /// none is dropped. Errc::target_gone: it has ended.
    virtual Result<std::optional<ProcessEvent>> next(std::chrono::milliseconds time) = 0;
    /// Lets the thread of the last event go on.
    virtual void pass() = 0;

    /// How many breakpoints there can be.
    [[nodiscard]] virtual std::size_t breakpointRoom() const = 0;
    /// From now on every thread, also a new one, stops at these addresses; others no longer. No
    /// byte of the target is changed.
    virtual Result<void> setBreakpoints(std::span<const std::uint64_t> addresses) = 0;

    /// What it looks like now: ids, auxiliary vector, memory. No threads, modules or regions. Its
    /// memory is read as it is at the time; during an event that is what its thread sees.
    [[nodiscard]] virtual Process view() const = 0;
    /// The path under which `path` of the target can be opened here ("/proc/PID/root…"); of its
    /// program when `path` is empty.
    [[nodiscard]] virtual std::string openablePath(std::string_view path) const = 0;

    /// As live::freeze; the thread of the last event stands where it is, and its signal is the
    /// snapshot's exception. When the result is released that thread goes on.
    virtual Result<std::unique_ptr<FrozenProcess>> freeze(const CaptureOptions& options,
                                                          Progress& progress) = 0;

    /// Of a process that has ended, as wait() tells it; -1 unknown.
    [[nodiscard]] virtual int exitStatus() const = 0;
};

/// Begins to trace. Errors as those of live::freeze.
Result<std::unique_ptr<TracedProcess>> traceProcess(std::uint64_t pid, const EventWishes& wishes);

}  // namespace icecore::live
